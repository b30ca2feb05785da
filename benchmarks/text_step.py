"""One training step of our AWD-LSTM beside one of torch's LSTM of the same size, as a ratio.

    python -m benchmarks.step --model=awd_lstm --batch=20              # input wait, host overhead
    python -m benchmarks.step --model=awd_lstm --batch=20 --peer       # beside torch

Rows of the bundled `verses`, 10,000 words, segments of about 70, padded to the longest that there
is. Same pieces in both: embedding, three layers of nn.LSTM, tied logits, cross-entropy, clipping by
the norm, SGD, the state of a row handed on. torch's LSTM has no dropout of its recurrent weights:
ours is timed without any dropout, which the ratio is of, and with all masks beside it. Rounds take
turns, so that all see the same machine.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from rich import console

from benchmarks import paired
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import step as step_lib

_RATE, _CLIP = 1.0, 0.25
_WORDS, _SEGMENT = 10_000, 70
_NO_DROPOUT = dict.fromkeys(('word_dropout', 'input_dropout', 'hidden_dropout', 'output_dropout',
                             'weight_dropout'), 0.0)
MODELS = ('awd_lstm', 'qrnn')


def configure(model: str, rows: int, multiplicity: int, updates: int, **options: Any
              ) -> ml_collections.ConfigDict:
  """Returns the config of a language model on the bundled text.

  Args:
    model: one of MODELS.
    rows: of an update, views counted.
    multiplicity: n.
    updates: of the run.
    **options: of the model.

  Raises:
    UserError: n does not divide the rows.
  """
  if rows % max(multiplicity, 1):
    raise errors.UserError(
        f'--batch={rows} with --multiplicity={multiplicity}; allowed: a multiple of it')
  config = schema.get_default()
  config.update({'multiplicity': multiplicity, 'unique': rows // max(multiplicity, 1),
                 'budget': f'{updates} updates'})
  config.data = ml_collections.ConfigDict({
      'name': 'corpus', 'set': 'verses', 'vocabulary': f'words(size={_WORDS})',
      'segment': _SEGMENT})
  config.model = ml_collections.ConfigDict({'name': model, **options})
  config.objective = ml_collections.ConfigDict({'name': 'language'})
  config.clip = ml_collections.ConfigDict({'name': 'global_norm', 'norm': _CLIP})
  config.optimizer = ml_collections.ConfigDict({'name': 'sgd', 'momentum': 0.0})
  config.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': _RATE})
  config.evals = ml_collections.ConfigDict({'test': {'name': 'perplexity', 'batch': rows}})
  return config


def compare(model: str, rows: int, rounds: int) -> None:
  """Times the steps and prints a table.

  Args:
    model: 'awd_lstm'.
    rows: of an update.
    rounds: of each.

  Raises:
    UserError: another model, or torch is missing.
  """
  if model != MODELS[0]:
    raise errors.UserError(f'--model={model!r} has no peer among text models; allowed: {MODELS[0]}')
  ours, batch = _ours(rows, _NO_DROPOUT)
  contenders = {'ours': ours, 'torch': _torch(batch), 'ours, all masks': _ours(rows, {})[0]}
  times = paired.times(contenders, rounds)
  ratios = [a / b for a, b in zip(times['ours'], times['torch'], strict=True)]
  console.Console().print(paired.rows(
      f'{model}, {rows} rows of {batch["tokens"].shape[1]} tokens, {jax.devices()[0].device_kind}',
      times, 'ratio, ours to torch', ratios))


def _ours(rows: int, options: Mapping[str, Any]
          ) -> tuple[Callable[[], None], Mapping[str, np.ndarray]]:
  """Returns a step on a batch that stays, and that batch as the host has it."""
  run = run_lib.build(configure(MODELS[0], rows, 1, 1000, **options))
  step = step_lib.map_train_step(run.experiment, run.backend)
  state = run.start(run.backend)
  placed = next(feed.placed_batches(run, 0))
  numbers = jax.jit(run.experiment.numbers)
  host = jax.tree.map(lambda x: np.asarray(x).reshape((-1,) + x.shape[2:]), dict(placed))

  def go() -> None:
    nonlocal state
    state, metrics = step(state, numbers(state.update), None, placed)
    jnp.asarray(metrics['loss']).block_until_ready()

  return go, host


def _torch(batch: Mapping[str, np.ndarray]) -> Callable[[], None]:
  try:
    import torch
    from torch import nn
  except ImportError:
    raise errors.UserError('--peer needs torch; install nfnets_am[peers]') from None
  device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
  sizes = (400, 1150, 1150, 400)
  net = nn.ModuleDict({
      'words': nn.Embedding(_WORDS, sizes[0]), 'head': nn.Linear(sizes[-1], _WORDS),
      **{f'layer{i}': nn.LSTM(a, b, batch_first=True)
         for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True))}}).to(device)
  net['head'].weight = net['words'].weight
  optimizer = torch.optim.SGD(net.parameters(), lr=_RATE)
  tokens, targets = (torch.from_numpy(np.int64(batch[key])).to(device)
                     for key in ('tokens', 'targets'))
  rows = len(tokens)
  carry = [tuple(torch.zeros(1, rows, size, device=device) for _ in range(2))
           for size in sizes[1:]]

  def go() -> None:
    x = net['words'](tokens)
    for i, held in enumerate(carry):
      x, after = net[f'layer{i}'](x, held)
      carry[i] = tuple(part.detach() for part in after)
    loss = nn.functional.cross_entropy(net['head'](x).flatten(0, 1), targets.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
    optimizer.step()
    loss.item()

  return go
