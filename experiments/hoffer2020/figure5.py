"""Figure 5 of Hoffer et al. 2020: batch augmentation over nodes, ResNet-50 on ImageNet.

    python -m launch.sweep --experiment=experiments/hoffer2020/figure5.py \\
        --workdir=gs://BUCKET/DIR --on=gcloud --tpu=TYPE --zone=ZONE
    python -m nfnets_am.report --experiment=experiments/hoffer2020/figure5.py \\
        --workdir=gs://BUCKET/DIR

256 unique images in an update. With M = 1 they lie on 4 hosts; with M = 4 on 16 and with M = 10 on
40, where groups of M hosts read the same 64 images and each draws a view of its own
(`data.host_group`): more nodes, the same updates, the same time for each. Printed: 1.43 ± 0.13,
1.47 ± 0.13 and 1.46 ± 0.14 updates a second, and a lower error with M at every hour. The log of a
run says its own.

The norm takes 32 rows together (the supplement says 64, of another experiment). 40 epochs without a
ramp; the drops are not printed: those of section 4.2, after 30 and 35 [C]. A host has 64 rows,
however many chips it has; where a device has fewer than 32, it normalises those: 16 on
hosts with 4 chips (v5e:8x8 are 16 of them, v5e:10x16 are 40). A cell needs 4 M hosts, or another
multiple of M, and says so before anything starts.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'multiplicity': 4, 'seed': 0, 'scale': 'full'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=10'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  config = recipes.config('resnet50_imagenet', 'ba', **cell, epochs=40, drops=(30, 35),
                          scales=(1.0, 0.1, 0.01))
  if cell['scale'] == 'full':
    config.data.host_group = cell['multiplicity']
    config.model.norm = 'ghost(size=32)'
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns a run for each M."""
  shown = (1, 2) if scale == 'smoke' else (1, 4, 10)
  return sweeps.of(
      'figure5', 'Figure 5: distributed batch augmentation', scale,
      [{'multiplicity': n} for n in shown],
      [paper.Claim('More nodes with more views of the same images lower the final error.',
                   'Figure 5', claims.rises('multiplicity', shown)),
       paper.Claim('They take no longer for an update.', '1.43, 1.47 and 1.46 updates a second',
                   claims.not_run_here('the log of each run says its updates a second'))])
