"""Figure 9: the cells are the paper's minibatches, and the real model's gradient traces."""

import jax
import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.reporting import comparison
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import reduction
from nfnets_am.training import step as step_lib
from tests import commands

_FILE = commands.ROOT / 'experiments' / 'fort2021' / 'figure9.py'
_SHAPE = (32, 32, 3)


def _built(cell):
  config = experiment_file.get_config(f'{_FILE}:{cell}')
  schema.validate(config)
  derived = derived_lib.derive(config, train_images=50_000)
  prepare = preparation.ImagePreparation(
      ops.parse('normalise()').bind((0.5,) * 3, (0.25,) * 3), hand_over.HandOver(), _SHAPE)
  return config, derived, step_lib.make_experiment(
      config, derived, facts.Facts(50_000, 100, _SHAPE), prepare)


@pytest.mark.parametrize('n', [1, 2, 4, 8, 16])
@pytest.mark.parametrize('scheme', ['fixed', 'growing'])
def test_minibatches_are_the_papers(scheme, n):
  config, derived, _ = _built(f'scheme={scheme},multiplicity={n}')
  unique, views = (16 // n, 16) if scheme == 'fixed' else (16, 16 * n)
  assert (derived.scheme, derived.unique, derived.views) == (scheme, unique, views)
  assert derived.updates == 256 and config.penalty == '' and config.optimizer.weight_decay == 0
  assert config.data.set == 'cifar100' and config.measure == 'gradient_variance()'


# The fixed batch of 16 is the growing one of n = 1.
@pytest.mark.parametrize('n', [1, 2, 4, 8, 16])
def test_the_gradient_of_wrn_16_4_traces(n):
  _, derived, experiment = _built(f'scheme=growing,multiplicity={n}')
  batch = experiment.preparation.batch_spec(derived.views)
  assert batch['image'].shape == (derived.views, *_SHAPE)
  state = jax.eval_shape(experiment.init)
  grads, _, metrics = jax.eval_shape(
      jax.vmap(experiment.update_gradient, in_axes=(None, None, None, 0), axis_name='data'),
      state, jax.eval_shape(experiment.numbers, state.update), None,
      jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), batch))
  assert sum(x.size for x in jax.tree.leaves(grads)) == 2_770_666
  assert metrics['loss'].shape == (1,)


def test_every_scale_has_its_cells_once():
  for scale, cells, seeds in (('full', 30, 3), ('small', 30, 3), ('smoke', 8, 2)):
    sweep = experiment_file.get_sweep(_FILE, scale)
    runs = experiment_file.get_runs(_FILE, sweep)
    assert len({tuple(run.cell.items()) for run in runs}) == len(runs) == cells
    # The fixed batch of 16 is the growing one of n = 1: they are measured once.
    alike = [{run.name for run in runs
              if (run.cell['scheme'], run.cell['multiplicity']) == (scheme, 1)}
             for scheme in ('fixed', 'growing')]
    assert alike[0] == alike[1] and len(alike[0]) == seeds
    assert len({run.name for run in runs}) == cells - seeds
  for cell in ('scheme=neighbouring', 'scale=tiny'):
    with pytest.raises(errors.ConfigError, match=cell):
      experiment_file.get_config(f'{_FILE}:{cell}')


def test_its_claims_are_those_of_the_figure():
  def cell(scheme, n, value):
    key = {'scheme': scheme, 'multiplicity': n, 'scale': 'smoke'}
    summary = reduction.Summary(mean=value, deviation=0.01, runs=2)
    both = ('init/variance', 'init/variance_of_all')
    return reduction.Cell(key, (), dict.fromkeys(both, summary), dict.fromkeys(both, value))

  sweep = experiment_file.get_sweep(_FILE, 'smoke')
  for growing, verdicts in ((0.9, ['holds', 'holds']), (2.0, ['holds', 'does not hold']),
                            (1.5, ['holds', 'not resolved'])):
    results = reduction.Results(sweep, (cell('fixed', 1, 1.0), cell('fixed', 4, 3.9),
                                        cell('growing', 1, 1.0), cell('growing', 4, growing)))
    # Of the layers, and of the layers with the SkipInit scalars.
    assert [row[-1] for row in comparison.claim_rows(results)] == 2 * verdicts
  assert comparison.claim_rows(results)[0][2] == (
      'multiplicity 1: 1, 4: 3.9; 1.45 for each doubling')
  rows = comparison.claim_rows(reduction.Results(sweep, ()))
  assert [row[-1] for row in rows] == 4 * ['not run here']
