"""The step of every cell traces at its real size, without a weight allocated.

Cells whose steps differ in numbers alone share a trace, and so do those that differ in their rows:
of these the one with the most is traced.
"""

import functools
import importlib.util
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import identity
from nfnets_am.costs import aot
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import known
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests import commands

_FOLDER = commands.ROOT / 'experiments' / 'hoffer2020'
_SECTIONS = ('model', 'objective', 'penalty', 'ascent', 'clip', 'ema', 'accumulate',
             'gradient_norm', 'dtype')
# Trainable parameters by network, classes and what else tells steps apart; see models/ for where
# they come from. Auxiliary heads are among them.
_STEPS = {
    'resnet_cifar 10': 661_338, 'resnet_cifar 10 gradient_norm': 661_338,
    'resnet_cifar 10 mixed': 661_338, 'resnet_cifar 100': 667_188,
    'vgg16 10': 33_646_666, 'vgg16 100': 34_015_396,
    'wide_resnet_postact 10': 36_481_434, 'wide_resnet_postact 10 mixed': 36_481_434,
    'wide_resnet_postact 100': 36_539_124, 'wide_resnet_postact 100 mixed': 36_539_124,
    'densenet_bc 100': 800_032, 'darts 10': 3_825_768, 'amoebanet 10': 38_089_364,
    'alexnet 1000': None, 'mobilenet_v1 1000': None, 'resnet50 1000': 25_557_032,
    'resnet50 1000 ghost(size=32)': 25_557_032, 'resnet50 1000 ghost(size=64)': 25_557_032,
    'resnet50 1000 ghost(size=64) mixed': 25_557_032,
}
# As ImageNet's, which table 5's random photographs have the size of.
_IMAGENET = (1_281_167, 1000, (224, 224, 3))


def _facts(config):
  found = known.training_set(config.data)
  if found is None:
    assert config.data.set == 'stand_in'
    return facts.Facts(_IMAGENET[0], *_IMAGENET[1:], config.dtype)
  return facts.Facts(found.train_images, found.num_classes, found.image_shape, config.dtype)


def _derive(config):
  # Groups of hosts need as many of them.
  hosts = config.data.get('host_group', 1)
  return derived_lib.derive(
      config, train_images=_facts(config).train_examples, hosts=hosts, devices=hosts)


def _way(config):
  return ops.parse(config.data.augment).bind((0.5,) * 3, (0.5,) * 3)


def _name(config):
  norm = config.model.get('norm', 'batch()')
  return ' '.join([
      config.model.name, str(_facts(config).outputs), *([norm] if norm.startswith('ghost') else []),
      *(['gradient_norm'] if config.gradient_norm else []),
      *(['mixed'] if _way(config).mix else [])])


@functools.cache
def _needed():
  """Name -> the configs of one step, least rows first; of all experiments."""
  found = {}
  for path in experiment_file.find(_FOLDER):
    # Steps of text are traced in test_text.py.
    if path.stem in ('small', 'text_small', 'table2_ptb', 'table2_wmt16'):
      continue
    module = experiment_file.load(path)
    for cell in experiment_file.get_sweep(path, 'full').cells:
      config = sections.complete(module.get_config(cells_lib.cell_name(cell)))
      found.setdefault(_name(config), []).append(config)
  return {name: sorted(configs, key=lambda config: _derive(config).views)
          for name, configs in found.items()}


def test_cells_have_these_steps_and_no_others():
  assert set(_needed()) == set(_STEPS)
  for configs in _needed().values():
    program = lambda config: json.dumps([
        (key, value) for key, value in identity.flatten(config)
        if key.partition('.')[0] in _SECTIONS])
    assert len(set(map(program, configs))) == 1
    # What a norm's groups are cut from.
    for config in configs:
      size = 64 if '64' in config.model.get('norm', '') else 1
      assert _derive(config).views_per_device % size == 0


def _experiment(config, derived):
  found, way = _facts(config), _way(config)
  on_device = config.data.get('apply') == 'device'
  prepare = preparation.ImagePreparation(
      way, hand_over.HandOver(), found.row_shape, config.dtype, start=0 if on_device else way.at,
      on_device=on_device)
  pool = jax.ShapeDtypeStruct((found.train_examples, *found.row_shape), jnp.uint8)
  return step_lib.make_experiment(config, derived, found, prepare), pool if on_device else None


# Cells of many small layers take 6 to 8 seconds each.
_SLOW = ('amoebanet', 'darts', 'densenet')


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[pytest.mark.slow] if name.startswith(_SLOW) else [])
    for name in _STEPS])
def test_the_step_traces_at_full_size(name):
  config = _needed()[name][-1]
  derived = _derive(config)
  experiment, pool = _experiment(config, derived)
  state = jax.eval_shape(experiment.init)
  count = sum(x.size for x in jax.tree.leaves(state.params))
  assert _STEPS[name] in (None, count)
  batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype),
                       experiment.preparation.batch_spec(derived.views_per_device))
  after, metrics = jax.eval_shape(
      step_lib.map_train_step(experiment, 'pmap'), state,
      jax.eval_shape(experiment.numbers, state.update), pool, batch)
  like = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
  assert like(after) == like(state)
  norm = {'gradient_norm'} if config.gradient_norm else set()
  assert set(metrics) >= {'loss', 'top1', 'learning_rate'} | norm


# Hosts of 4 chips with 64 rows each.
_PODS = {4: ('v5e:8x8', 64), 10: ('v5e:10x16', 160)}
_LOWER = """
import json, sys
from nfnets_am.costs import aot
text = aot.lower(aot.Step(**json.load(sys.stdin))).as_text()
print(json.dumps({'reduces': text.count('all_reduce'), 'head': text[:300]}))
"""


@pytest.mark.parametrize('multiplicity', _PODS)
def test_a_pod_of_figure_5_has_64_rows_on_every_host(multiplicity):
  _, chips = _PODS[multiplicity]
  config = sections.complete(experiment_file.get_config(
      f'{_FOLDER / "figure5.py"}:multiplicity={multiplicity}'))
  derived = derived_lib.derive(
      config, train_images=_IMAGENET[0], devices=chips, hosts=chips // 4)
  assert (derived.hosts, derived.unique, derived.views_per_device) == (4 * multiplicity, 256, 16)
  assert derived.copies_per_host == 1 and derived.unique_per_device == 16


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec('libtpu') is None,
                    reason='needs libtpu, the extra "plan"')
@pytest.mark.parametrize('multiplicity', _PODS)
def test_the_step_of_figure_5_lowers_for_its_pod(multiplicity):
  topology, chips = _PODS[multiplicity]
  config = sections.complete(experiment_file.get_config(
      f'{_FOLDER / "figure5.py"}:multiplicity={multiplicity}'))
  step = aot.step_of(config, topology=topology, per_device=16, image_shape=_IMAGENET[2],
                     num_classes=_IMAGENET[1])
  done = subprocess.run(
      [sys.executable, '-c', _LOWER], input=json.dumps(step.__dict__),
      env=os.environ | aot.ENVIRONMENT, cwd=commands.ROOT, capture_output=True, text=True,
      check=False)
  assert done.returncode == 0, done.stderr
  found = json.loads(done.stdout.splitlines()[-1])
  assert found['reduces'] and f'num_partitions = {chips}' in found['head']
