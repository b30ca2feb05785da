"""Ways to mix two images into one row: sixteen of Summers 2021 chapter 2, and CutMix.

To add one, write a class as `method.py` asks for and a line in `METHODS`.
"""

from nfnets_am.core import registry
from nfnets_am.data.ops.methods import bc
from nfnets_am.data.ops.methods import concats
from nfnets_am.data.ops.methods import cutmix
from nfnets_am.data.ops.methods import grids
from nfnets_am.data.ops.methods import intervals
from nfnets_am.data.ops.methods import lines
from nfnets_am.data.ops.methods import mixup
from nfnets_am.data.ops.methods import pixels
from nfnets_am.data.ops.methods import square
from nfnets_am.data.ops.methods import vh

METHODS = registry.Registry('mixing method', {
    'bc_plus': bc.BcPlus,
    'cutmix': cutmix.CutMix,
    'horizontal_concat': concats.HorizontalConcat,
    'mixed_concat': grids.MixedConcat,
    'mixup': mixup.MixUp,
    'noisy_mixup': mixup.NoisyMixUp,
    'random_2x2': grids.Random2x2,
    'random_column_interval': intervals.RandomColumnInterval,
    'random_columns': lines.RandomColumns,
    'random_elements': pixels.RandomElements,
    'random_pixels': pixels.RandomPixels,
    'random_row_interval': intervals.RandomRowInterval,
    'random_rows': lines.RandomRows,
    'random_square': square.RandomSquare,
    'vertical_concat': concats.VerticalConcat,
    'vh_bc_plus': bc.VhBcPlus,
    'vh_mixup': vh.VhMixUp,
})
