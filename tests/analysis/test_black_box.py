"""Images made on one run and tested on another, by hand, and what is no black box (P70)."""

import dataclasses
import json
import types

from etils import epath
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am import analysis
from nfnets_am import evaluation
from nfnets_am.analysis import black_box
from nfnets_am.analysis import measures
from nfnets_am.core import errors
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.models import model as model_lib
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved
from nfnets_am.training import sections
from tests import tiny

_MEAN, _STD = {0: 0.3, 1: 0.0}, {0: 0.25, 1: 1.0}


def _config(seed, **changes):
  """Each of the two normalises in its own way."""
  return sections.override(tiny.get_config(), {
      'seed': seed, 'budget': '3 updates', 'eval_every': '3 updates', 'model.name': 'resnet_tiny',
      'checkpoint.every': '3 updates', 'ema': 0.0, 'schedule.peak': 0.02,
      'data.augment': f'pad_crop(pad=2) | normalise(mean={_MEAN[seed]}, std={_STD[seed]})',
      **changes})


@pytest.fixture(scope='module')
def sweep(tmp_path_factory):
  """A folder with two finished runs of a few updates."""
  folder = epath.Path(tmp_path_factory.mktemp('sweep'))
  for seed in (0, 1):
    loop.train(_config(seed), folder / f'seed{seed}')
  return folder


def _measured(sweep, **keys):
  said = ', '.join(f'{key}={value!r}' for key, value in keys.items())
  config = _config(0, measure=f'black_box({said})')
  workdir = sweep / 'measured'
  status = measures.measure(config, workdir, analysis.MEASURES)
  assert status['status'] == 'finished'
  (line,) = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  assert line['split'] == 'black_box'
  return line


def test_images_of_the_source_are_tested_on_the_target(sweep):
  found = _measured(sweep, source='seed1', target=str(sweep / 'seed0'), most=1, batch=150,
                    attack='fgsm(epsilon=0.1)')
  networks, images, label = {}, None, None
  for seed in (0, 1):
    run = saved.build(sweep / f'seed{seed}')
    _, state = saved.newest(sweep / f'seed{seed}', run)
    images, label = (x[:150] for x in run.dataset.splits['test'][:2])
    state = jax.device_get(state)
    networks[seed] = lambda pixels, run=run, state=state, seed=seed: run.experiment.model.apply(
        state.params, model_lib.State(state.averages, {}), None,
        (pixels - _MEAN[seed]) / _STD[seed], model_lib.EVALUATION)[0].logits
  pixels = jnp.float32(images / 255)
  loss = lambda pixels: optax.losses.softmax_cross_entropy_with_integer_labels(
      networks[1](pixels), label).sum()
  moved = jnp.clip(pixels + 0.1 * jnp.sign(jax.jit(jax.grad(loss))(pixels)), 0, 1)
  logits = np.asarray(networks[0](moved), np.float64)
  losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(150), label]
  assert found['images'] == 150
  # A sign at a gradient of almost 0 may be another one in another program.
  assert found['loss'] == pytest.approx(losses.mean(), rel=1e-3)
  assert found['top1'] == pytest.approx((logits.argmax(1) == label).mean(), abs=0.011)


def test_several_targets_meet_the_same_images(sweep):
  run, keys = run_lib.build(_config(0)), {
      'source': 'seed1', 'attack': 'pgd(epsilon=0.1, steps=2)', 'most': 1, 'batch': 64}
  found, _ = analysis.MEASURES.make(
      'black_box', target={'a': 'seed0', 'b': 'seed0'}, **keys)(run, sweep / 'cell')
  alone, _ = analysis.MEASURES.make('black_box', target='seed0', **keys)(run, sweep / 'cell')
  assert set(found) == {'black_box_a', 'black_box_b'}
  for line in found.values():
    assert line['images'] == 64 and line == pytest.approx(alone['black_box'], rel=1e-5)
  with pytest.raises(errors.UserError, match="seed1 is the target's own run"):
    analysis.MEASURES.make('black_box', **{
        **keys, 'target': {'a': 'seed0', 'b': 'seed1'}})(run, sweep / 'cell')
  with pytest.raises(errors.ConfigError, match='allowed: a folder, or name -> folder'):
    analysis.MEASURES.make('black_box', source='seed1', target={})


def test_a_finished_run_meets_an_attack_that_its_config_does_not_have(sweep):
  """It is the evaluation of that name, at the run's own weights."""
  found, _ = analysis.MEASURES.make(
      'white_box', run='seed0', attack='pgd(epsilon=0.1, steps=2)', most=1, batch=64)(
          run_lib.build(_config(0)), sweep / 'cell')
  run = saved.build(sweep / 'seed0')
  one = evaluation_lib.Evaluation(
      'white_box', evaluation.EVALUATIONS.make('pgd', epsilon=0.1, steps=2), 'test', every='',
      batch=64, most=1, keep=False)
  expected, _ = evaluator.Evaluator(
      one, run.experiment.model, run.dataset, backend=run.backend, seed=0).evaluate(
          evaluator.weights_of(saved.newest(sweep / 'seed0', run)[1]))
  assert found == {'white_box': expected} and found['white_box']['images'] == 64
  for keys, sentence in (({'run': 'none'}, 'the run .*none is missing; allowed: a finished run'),
                         ({'run': 'seed0', 'split': 'validation'}, 'of white_box; allowed: ')):
    with pytest.raises(errors.UserError, match=sentence):
      analysis.MEASURES.make('white_box', attack='fgsm()', **keys)(
          run_lib.build(_config(0)), sweep / 'cell')


def test_what_is_no_black_box_is_refused(sweep):
  for keys, sentence in (
      ({'source': 'seed0'}, "seed0 is the target's own run; allowed: one that is trained"),
      ({'source': 'none'}, 'the source .*none is missing; allowed: a finished run'),
      ({'source': 'seed1', 'split': 'train_views'}, "split='train_views' of black_box; allowed: ")):
    error = errors.ConfigError if 'split' in keys else errors.UserError
    with pytest.raises(error, match=sentence):
      analysis.MEASURES.make('black_box', target='seed0', **keys)(
          run_lib.build(_config(0)), sweep / 'cell')
  with pytest.raises(errors.ConfigError, match="needs the key 'source'"):
    analysis.MEASURES.make('black_box', target='seed0')


def test_runs_that_are_not_independent_or_see_other_images_are_refused():
  target = run_lib.build(_config(0))
  alike = run_lib.build(_config(1, **{'seeds.init': 0}))
  other = run_lib.build(_config(1))
  facts = dataclasses.replace(other.dataset.facts, outputs=7)
  other = dataclasses.replace(other, dataset=types.SimpleNamespace(facts=facts))
  for source, sentence in ((alike, 'start from the weights of seed 0; allowed: runs with'),
                           (other, 'with 7 classes, the target of fashion_mnist_small .* with 10')):
    with pytest.raises(errors.UserError, match=sentence):
      black_box._check({'source': source, 'target': target},
                       {'source': epath.Path('a'), 'target': epath.Path('b')}, 'test')
