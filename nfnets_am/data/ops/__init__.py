"""Augmentation ops: each is its draws (numpy) and its application to pixels (any namespace).

To add an op, write a file like `flip.py` and a line in `OPS`.
"""

from nfnets_am.core import calls as calls_lib
from nfnets_am.core import registry
from nfnets_am.data.ops.augmentation import Augmentation
from nfnets_am.data.ops.crops import Crop
from nfnets_am.data.ops.cutout import Cutout
from nfnets_am.data.ops.flip import Flip
from nfnets_am.data.ops.mix import Mix
from nfnets_am.data.ops.normalise import Normalise
from nfnets_am.data.ops.pad_crop import PadCrop
from nfnets_am.data.ops.randaugment import RandAugment

OPS = registry.Registry('op', {
    'crop': Crop,
    'cutout': Cutout,
    'flip': Flip,
    'mix': Mix,
    'normalise': Normalise,
    'pad_crop': PadCrop,
    'randaugment': RandAugment,
})


def parse(text: str) -> Augmentation:
  """Reads an augmentation such as 'pad_crop(4) | flip() | mix("cutmix()") | normalise()'.

  Args:
    text: calls of ops with literal arguments, in the order in which they act, joined by `|`. Read
      as a Python expression, never run as one.

  Returns:
    The augmentation.

  Raises:
    errors.ConfigError: the text is no such expression, an op or an argument is unknown or out of
      range, there is not exactly one `normalise`, or an op stands on the wrong side of it.
  """
  return Augmentation(text, [(name, OPS.make(name, **kwargs))
                             for name, kwargs in calls_lib.calls(text, keys_of=OPS.keys_of)])
