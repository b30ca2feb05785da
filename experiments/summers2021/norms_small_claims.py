"""What chapter 4 of Summers 2021 says, as cells of norms_small.py and claims on their runs."""

from typing import Any

from experiments.summers2021 import weighing
from nfnets_am.reporting import claims
from nfnets_am.sweeps import paper

BATCHES = (1, 2, 4, 16, 128)
GHOSTS = (2, 4, 8, 32)
# Of every norm: close where the best are for norms over the batch, and for group norm.
ALPHAS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 1.0)
TOP1, LOSS = (weighing.Curve(ALPHAS, key) for key in ('top1', 'loss'))
_GROUP_TOP1, _GROUP_LOSS = (weighing.Curve(ALPHAS, key, off=1.0) for key in ('top1', 'loss'))


def cell(norm: str, batch: int = 128, size: int = 0, decay: str = 'none', classes: int = 0
         ) -> dict[str, Any]:
  """Returns a cell less its seed, at the learning rate that RATES holds beside others."""
  peak = 0.2 if classes else 0.4 if norm in ('group', 'batch_group') else 0.8
  return {'norm': norm, 'batch': batch, 'size': size, 'decay': decay, 'classes': classes,
          'peak': peak}


def ours(batch: int) -> dict[str, Any]:
  """Returns the cell that has all four things at a batch size, as figure4_5.py has them."""
  if batch == 1:
    return cell('group', 1, decay='to_one')
  if batch == 2:
    return cell('batch_group', 2, 2, 'to_one')
  return cell('ghost', batch, min(batch // 2, 16), 'to_one')


BATCH = cell('batch')
_GHOST = {size: cell('ghost', size=size) for size in GHOSTS}
_GROUP = {batch: cell('group', batch) for batch in BATCHES}
_BATCH = {batch: cell('batch', batch) for batch in BATCHES}
_DECAYED = {decay: cell('batch', decay=decay) for decay in ('to_one', 'to_zero')}
_TWO = cell('batch_group', 2, 2)
_FEW = {'classes': 4, 'batch': 32}
_FEW_BATCH, _FEW_RENORM = cell('batch', **_FEW), cell('renorm', **_FEW)
_FEW_GHOST = {size: cell('ghost', size=size, **_FEW) for size in (2, 8)}
_FEW_UNION, _MANY_UNION = cell('batch_group', size=2, **_FEW), cell('batch_group', 32, 2)
# The lines of the batch sizes, each by its B; that of ghost batches alone has B = 128.
LINES = {'all four': {batch: ours(batch) for batch in BATCHES}, 'batch': _BATCH, 'group': _GROUP,
         "ghost, over B'": {**_GHOST, 128: BATCH}}
CELLS = (BATCH, *_GHOST.values(), *_DECAYED.values(), _TWO, *LINES['all four'].values(),
         *_GROUP.values(), *(_BATCH[batch] for batch in BATCHES if batch != 128),
         _FEW_BATCH, _FEW_RENORM, *_FEW_GHOST.values(), _FEW_UNION, _MANY_UNION)

# By which the rates of `cell` were chosen.
RATES = tuple({**one, 'peak': factor * one['peak']}
              for one in (BATCH, _GROUP[128], _FEW_UNION) for factor in (0.5, 2.0))


def _claims() -> tuple[paper.Claim, ...]:
  few_ghosts = tuple(_FEW_GHOST.values())
  some = {**BATCH, 'norm': 'ghost', 'size': GHOSTS}
  smallest, largest = _GHOST[GHOSTS[0]], _GHOST[GHOSTS[-1]]
  return (
      paper.Claim('Weighing improves batch norm.', 'Section 4.3.1', weighing.gains(
          BATCH, 0, curve=TOP1)),
      paper.Claim('Weighing improves the cross-entropy of batch norm.', 'Section 4.3.1',
                  weighing.gains(BATCH, 0, curve=LOSS)),
      paper.Claim('A little of the moving averages improves group norm.', 'Figure 4.2',
                  weighing.gains(_GROUP[128], 0, curve=_GROUP_TOP1)),
      paper.Claim('A little of the moving averages improves the cross-entropy of group norm.',
                  'Figure 4.2', weighing.gains(_GROUP[128], 0, curve=_GROUP_LOSS)),
      paper.Claim('Some ghost size is better than batch norm.', 'Figure 4.3: 0.84 and 5.8 points',
                  claims.better(some, BATCH)),
      paper.Claim('The smallest ghost size is worse than the best.', 'Figure 4.3',
                  claims.better({**some, 'size': GHOSTS[1:]}, smallest)),
      paper.Claim("Weighing adds more the smaller the ghost batch is: to B' = 2 than to 32.",
                  'Figure 4.4', weighing.gains_more(smallest, largest, TOP1)),
      paper.Claim('So it does to the cross-entropy.', 'Figure 4.4',
                  weighing.gains_more(smallest, largest, LOSS)),
      paper.Claim("The best alpha falls as the ghost batch grows: it is larger at B' = 2 than at "
                  '32, by accuracy.', 'Figure A.4', weighing.needs_more(smallest, largest, TOP1)),
      paper.Claim("It is larger at B' = 2 than at 32, by cross-entropy.", 'Figure A.4',
                  weighing.needs_more(smallest, largest, LOSS)),
      paper.Claim('Scales and offsets that decay improve batch norm.', 'Section 4.3.3: 0.3 points',
                  claims.better(_DECAYED['to_one'], BATCH)),
      paper.Claim('It does not matter whether scales decay to 1 or to 0 (by 3 points).',
                  'Section 4.3.3: P = 0.46',
                  claims.all_of(*(claims.not_worse(_DECAYED[a], _DECAYED[b], 3.0)
                                  for a, b in (('to_one', 'to_zero'), ('to_zero', 'to_one'))))),
      paper.Claim('At B = 2 batch-group norm is better than group norm, both weighed.',
                  'Section 4.3.4: 0.69 and 5.0 points',
                  weighing.ahead(_TWO, _GROUP[2], curve=TOP1)),
      paper.Claim('Batch norm is worse at B = 2 than at 128.', 'Section 4.1',
                  claims.worse(_BATCH[2], BATCH)),
      paper.Claim('All four are better than batch norm at B = 128.', 'Figure 4.5: 6.5 points',
                  weighing.beats(ours(128), BATCH, curve=TOP1)),
      *(paper.Claim(f'All four are better than group norm at B = {size}.',
                    'Figure 4.5: 5.9 points at B = 2' if size == 2 else 'Figure 4.5',
                    weighing.beats(ours(size), _GROUP[size], curve=TOP1))
        for size in BATCHES),
      paper.Claim('With batches of four classes weighing alone gives batch norm 15 points.',
                  'Table 4.1: 40.1 to 62.2', weighing.gains(_FEW_BATCH, 0.15, curve=TOP1)),
      paper.Claim('It has practically no effect on batch renormalisation (1 point or less).',
                  'Table 4.1: 69.0, 69.0', weighing.gains(_FEW_RENORM, -0.01, 0.01, curve=TOP1)),
      paper.Claim('With it, ghost batches of 8 and 2 are better than renormalisation.',
                  'Table 4.1: 72.0, 71.4; 69.0',
                  claims.all_of(*(weighing.ahead(ghost, _FEW_RENORM, curve=TOP1)
                                  for ghost in few_ghosts))),
      paper.Claim('Batch-group norm is better than all others.', 'Table 4.1: 76.1',
                  weighing.ahead(_FEW_UNION, _FEW_BATCH, _FEW_RENORM, *few_ghosts, curve=TOP1)),
      paper.Claim('Batches of four classes take from batch-group norm no more than 2 points.',
                  'Section 4.4.4: 76.1, 76.2',
                  weighing.ahead(_FEW_UNION, _MANY_UNION, least=-0.02, curve=TOP1)))


CLAIMS = _claims()
