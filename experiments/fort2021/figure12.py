"""Fort et al. 2021, Figure 12 (appendix D): is it the bias or the variance of dropout that helps?

    python -m launch.sweep --experiment=experiments/fort2021/figure12.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure12.py --workdir=runs/fort2021

WRN-16-4 on CIFAR-100, 64 unique images in every update with one view each, and dropout of 0.4
before the last linear layer. The gradient is averaged over n masks for the same view, n = 1 to 16:
that lowers the variance that dropout brings and leaves its bias. (a) test accuracy by budget, (b)
training loss by budget, (c) test accuracy by learning rate after 512 epochs.

The paper prints no number. It says that networks with dropout reach a higher test accuracy than
those without and need larger budgets; that the test accuracy depends little on n; and that many
masks minimise the training loss faster. `masks=0` is the network without dropout, the n = 1 of
Figure 2, whose runs are shared.

A run of 512 epochs is 400,000 updates of 64 views, whatever n is: the network below the last layer
is computed once for all masks (`model.dropout_masks`).

Where the paper is silent (what all Wide-ResNets share is in recipes.py):
- masks: 1, 2, 4, 8, 16, as the multiplicities elsewhere.
- where dropout acts: "on the final linear layer" is read as on its input.
- scale: kept features are divided by 0.6, and nothing is dropped when evaluating, the training loss
  of (b) included.
- budgets: 16 to 512 epochs, as in Figure 2.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from experiments.fort2021 import statements
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_DROPOUT = 0.4
_DEFAULTS = {'unique': 64, 'masks': 1}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'masks=4,epochs=512'."""
  config = recipes.tuned(cell, **_DEFAULTS)
  masks = cells_lib.parse_cell(cell, recipes.TUNED_CELL | _DEFAULTS)['masks']
  if masks:
    config.model = ml_collections.ConfigDict(
        {**config.model, 'dropout': _DROPOUT, 'dropout_masks': masks})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the grid of masks, budgets, learning rates and seeds."""
  masks = (0, 1, 4) if scale == 'smoke' else (0, 1, 2, 4, 8, 16)
  grid = grids.grid('wide_resnet', 'growing', scale, multiplicities=(1,), curves=(512,),
                    budgets=(32, 512) if scale == 'smoke' else ())
  longest = grids.epochs(512, scale)
  none, one, many = ({'masks': m} for m in (0, 1, masks[-1]))
  return experiment_file.Sweep(
      title='Figure 12: averaging the gradient over dropout masks',
      cells=tuple({**cell, 'masks': m} for m in masks for cell in grid),
      others=('train/loss',),
      panels=(
          paper.Panel('(a) Test accuracy by epoch budget', 'epochs', line='masks'),
          paper.Panel('(b) Training loss by epoch budget', 'epochs', 'train/loss', line='masks',
                      log_y=True),
          paper.Panel(f'(c) Test accuracy by learning rate, {longest} epochs', 'peak', tuned=False,
                      line='masks', where={'epochs': longest})),
      claims=(
          paper.Claim('Dropout raises the test accuracy.', 'Figures 12(a) and 5(a)',
                      claims.better(one, none)),
          paper.Claim('It needs larger epoch budgets.', 'Figures 12(a) and 5(a)',
                      claims.best_at('larger', 'epochs', one, none)),
          paper.Claim('The test accuracy does not depend strongly on the number of masks: by less '
                      'than on whether there is dropout.', 'Figure 12(a)',
                      claims.smaller_gap((many, one), (one, none), either_way=True)),
          statements.converges_faster(many, one, grids.budgets_of('wide_resnet', scale),
                                      'train/loss', 'Figure 12(b)', 'Many masks')),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
