"""Updates of text: however rows are cut they are the same, masks included; NT-ASGD in a run."""

import json

import jax
import ml_collections
import numpy as np
import optax
import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import inputs
from nfnets_am.data import views
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests import tiny

WORDS, LENGTH = 7, 5


class AsTheyAre:
  """A preparation that hands rows over."""

  @staticmethod
  def pack(batch, devices):
    return batch

  @staticmethod
  def prepare(pool, batch):
    return dict(batch)

  prepare_stored = staticmethod(dict)

  @staticmethod
  def batch_spec(rows):
    return jax.eval_shape(lambda: Streams()._rows(np.arange(rows), 0, LENGTH))


def experiment(rows, devices=1, rate=0.3, **changes):
  config = schema.get_default()
  config.views = rows
  config.budget = '10 updates'
  config.model = ml_collections.ConfigDict({
      'name': 'awd_lstm', 'hidden': 4, 'layers': 2, 'embedding': 3, **dict.fromkeys(
          ('word_dropout', 'input_dropout', 'hidden_dropout', 'output_dropout', 'weight_dropout'),
          rate)})
  config.objective = ml_collections.ConfigDict(
      {'name': 'language', 'activation': 2.0, 'temporal': 1.0})
  sections.override(config, {'data.apply': 'device', **changes})
  return step_lib.make_experiment(
      config, derived_lib.derive(config, train_images=1000, devices=devices),
      facts.Facts(1000, WORDS, (LENGTH,), 'int32'), AsTheyAre())


def batch_of(rows, seed=0):
  rng = np.random.default_rng(seed)
  lengths = rng.integers(1, LENGTH + 1, (rows, 1))
  return {'tokens': rng.integers(0, WORDS, (rows, LENGTH)).astype(np.int32),
          'targets': rng.integers(0, WORDS, (rows, LENGTH)).astype(np.int32),
          'mask': np.arange(LENGTH) < lengths, 'reset': rng.random(rows) < 0.5,
          'length': np.full(rows, LENGTH, np.int32)}


def update(made, batch, devices=1, carry=None):
  """Returns the gradient, the next carry over all rows and the metrics of an update."""
  state = made.first_state()
  cut = lambda tree: jax.tree.map(lambda x: x.reshape((devices, -1) + x.shape[1:]), tree)
  state = state._replace(carry=cut(carry))
  axes = step_lib.AXES
  grads, after, metrics = jax.jit(jax.vmap(
      made.update_gradient, in_axes=(axes, None, None, 0), axis_name='data'))(
          state, made.numbers(state.update), None, cut(batch))
  return (jax.tree.map(lambda x: np.asarray(x[0]), grads),
          jax.tree.map(lambda x: np.asarray(x).reshape((-1,) + x.shape[2:]), after.carry),
          jax.tree.map(lambda x: float(x[0]), metrics))


def carry_of(made, rows, seed=3):
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda x: np.float32(rng.normal(size=x.shape)), made.model.init_carry(rows))


def close(a, b):
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=2e-6), a, b)


def test_an_update_is_the_same_however_its_rows_are_cut():
  whole = experiment(8)
  batch, carry = batch_of(8), carry_of(whole, 8)
  expected = update(whole, batch, carry=carry)
  for devices, accumulate in ((4, 1), (2, 2)):
    found = update(experiment(8, devices, accumulate=accumulate), batch, devices, carry)
    close(found, expected)
  # Rows differ in their masks, and those of another update are others.
  same = jax.tree.map(lambda x: np.repeat(x[:1], 8, axis=0), (batch, carry))
  _, after, _ = update(whole, same[0], carry=same[1])
  assert len(np.unique(after['layer1']['hidden'].round(5), axis=0)) == 8


def test_n_equal_masks_have_the_gradient_of_one():
  one, many = experiment(2), experiment(8)
  batch, carry = batch_of(2), carry_of(one, 2)
  # As the objective would be told of an update, but with one key for the rows of an example.
  key = jax.random.key(5)
  keys = jax.random.split(key, 2)

  def gradient(made, times):
    copied, held = jax.tree.map(lambda x: np.repeat(x, times, axis=0), (batch, carry))
    rows = {**copied, 'noise': jax.numpy.repeat(keys, times),
            'noise_of_update': jax.numpy.broadcast_to(key, (2 * times,))}
    state = one.first_state()
    grads, _ = jax.jit(made.gradient)(
        state.params, step_lib.model_lib.State({}, held), key, rows, np.float32(0))
    return grads

  close(gradient(many, 4), gradient(one, 1))


def test_the_rate_goes_with_the_length_of_a_segment():
  made = experiment(4, gradient_norm=True, **{
      'optimizer.momentum': 0.0, 'optimizer.segment': 2.0 * LENGTH})
  state = made.first_state()
  after, metrics = jax.jit(jax.vmap(
      made.train_step, in_axes=(step_lib.AXES, None, None, 0), axis_name='data'))(
          state._replace(carry=jax.tree.map(lambda x: x[None], state.carry)),
          made.numbers(state.update), None, jax.tree.map(lambda x: x[None], batch_of(4)))
  moved = optax.tree.norm(jax.tree.map(lambda x, y: x[0] - y, after.params, state.params))
  assert float(metrics['length'][0]) == LENGTH
  assert float(moved) == pytest.approx(0.1 / 2 * float(metrics['gradient_norm'][0]), rel=1e-4)


class Streams:
  """Running text: an order of few words, with segments of two lengths and passes of 5 updates."""

  name, pool, bad = 'streams', None, ()
  facts = facts.Facts(20, WORDS, (LENGTH,), 'int32')
  preparation = AsTheyAre()

  def plan(self, order, **kwargs):
    del order
    return views.ViewPlan(examples=20, layout='image_major', **kwargs)

  def train_batches(self, plan, augment_seed, start, stop):
    for k in range(start, stop):
      rows = self._rows(plan.update(k).example % 4, k % plan.updates_per_pass * 3, LENGTH - k % 2)
      yield rows | {'length': np.full(len(rows['tokens']), LENGTH - k % 2, np.int32)}

  def eval_batches(self, split, batch, *, host, hosts):
    for first in (0, 3):
      yield self._rows(np.arange(batch), 100 + first, 3)

  def _rows(self, stream, first, length):
    text = (np.arange(first, first + LENGTH + 1) ** 2 + 3 * stream[:, None]) % WORDS
    text = text.astype(np.int32)
    mask = np.arange(LENGTH) < np.full((len(stream), 1), length)
    return {'tokens': text[:, :-1], 'targets': text[:, 1:], 'mask': mask,
            'reset': np.full(len(stream), first % 100 == 0)}


def _config(**changes):
  config = tiny.get_config()
  config.budget = '12 updates'
  config.unique = 4
  config.eval_every = '1 updates'
  config.log_every = '1 updates'
  config.ema = 0.0
  config.penalty = ''
  config.data = ml_collections.ConfigDict({'name': 'streams'})
  config.model = ml_collections.ConfigDict(
      {'name': 'awd_lstm', 'hidden': 4, 'layers': 1, 'embedding': 3})
  config.objective = ml_collections.ConfigDict({'name': 'language'})
  config.optimizer = ml_collections.ConfigDict(
      {'name': 'nt_asgd', 'watch': 'test/loss', 'nonmono': 1, 'segment': float(LENGTH)})
  config.evals = ml_collections.ConfigDict({'test': {'name': 'perplexity', 'batch': 2}})
  return sections.override(config, {'schedule.peak': 20.0, **changes})


@pytest.fixture(autouse=True)
def _streams(monkeypatch):
  monkeypatch.setitem(inputs.INPUTS._entries, 'streams', lambda dtype: Streams())


def _lines(workdir, split):
  lines = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  return [line for line in lines if line['split'] == split]


def test_a_run_goes_over_to_averaging_and_is_interrupted_without_a_trace(tmp_path):
  whole, cut, seldom = (tmp_path / name for name in ('whole', 'cut', 'seldom'))
  loop.train(_config(), whole)
  # In the middle of a pass.
  loop.train(_config(), cut, until='8 updates')
  loop.train(_config(), cut)
  assert (cut / 'metrics.jsonl').read_bytes() == (whole / 'metrics.jsonl').read_bytes()
  losses, changed = [], None
  for line in _lines(whole, 'test'):
    assert line['perplexity'] == pytest.approx(np.exp(line['loss'])) and line['tokens'] == 12
    averaged = line['ema_loss'] != line['loss']
    # The second iterate is copied over the first: from the third on the average is another.
    assert averaged == (changed is not None and line['update'] > changed + 2)
    if changed is None and len(losses) > 1 and line['loss'] > min(losses[:-1]):
      changed = line['update']
    losses.append(line['loss'])
  assert changed is not None and changed < 9
  # Without an evaluation in between the same losses: until the optimiser changes nothing else does.
  loop.train(_config(**{'eval_every': '12 updates'}), seldom, until=f'{changed} updates')
  undisturbed = _lines(seldom, 'train_views')
  assert undisturbed == _lines(whole, 'train_views')[:changed]
  assert len({line['loss'] for line in undisturbed}) == changed
  assert {line['length'] for line in undisturbed} == {LENGTH, LENGTH - 1}


@pytest.mark.parametrize('changes, words', [
    ({'ema': 0.9}, 'ema=0.9; allowed: 0 with optimizer.name'),
    ({'optimizer.watch': 'valid/loss'}, "optimizer.watch='valid/loss' is of no evaluation"),
    ({'optimizer.watch': 'test/top1'}, "optimizer.watch='test/top1' is not measured here"),
    ({'optimizer.nonmono': 0}, 'optimizer.nonmono=0; allowed'),
    ({'dtype': 'bfloat16'}, "dtype='bfloat16'; allowed: 'float32' for models of text")])
def test_a_metric_that_is_not_there_is_refused(changes, words):
  with pytest.raises(errors.ConfigError, match=words):
    run_lib.build(_config(**changes))
