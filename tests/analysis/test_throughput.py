"""Views a second of an update: what is timed, and what is kept."""

import json

import numpy as np
import pytest

from nfnets_am import analysis
from nfnets_am.analysis import measures
from nfnets_am.analysis import throughput
from nfnets_am.core import errors
from nfnets_am.storage import metrics
from nfnets_am.training import run as run_lib
from tests import tiny


def test_the_median_of_what_was_timed_is_kept(tmp_path):
  config = tiny.get_config()
  config.measure = 'throughput(updates=5, warmup=2)'
  measures.measure(config, tmp_path, analysis.MEASURES)
  seconds = np.array(json.loads((tmp_path / throughput.SECONDS).read_text()))
  assert seconds.shape == (5,) and (seconds > 0).all()
  views = run_lib.build(config).derived.views
  (line,) = metrics.read(tmp_path / 'metrics.jsonl')
  assert line['split'] == 'step'
  assert line['images_per_second'] == pytest.approx(np.median(views / seconds))
  assert line['deviation'] == pytest.approx(np.std(views / seconds))


def test_refuses_no_updates(tmp_path):
  config = tiny.get_config()
  config.measure = 'throughput(updates=0)'
  with pytest.raises(errors.ConfigError, match='updates=0; allowed: whole numbers from 1'):
    measures.measure(config, tmp_path, analysis.MEASURES)
