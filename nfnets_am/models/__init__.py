"""Models by name. To add one, write a file with a `create` and a line here."""

import functools
from typing import Any

from nfnets_am.core import registry
from nfnets_am.models import inception_v3
from nfnets_am.models import nf_resnet
from nfnets_am.models import nfnet
from nfnets_am.models import padded_resnet
from nfnets_am.models import preact_resnet
from nfnets_am.models import resnet_tiny
from nfnets_am.models import shallow
from nfnets_am.models import shufflenet_v2
from nfnets_am.models import vgg_linear
from nfnets_am.models import wide_resnet
from nfnets_am.models.model import Model

MODELS = registry.Registry('model', {
    'inception_v3': inception_v3.create,
    'linear': shallow.linear,
    'one_hidden': shallow.one_hidden,
    'one_hidden_conv': shallow.one_hidden_conv,
    'preact_resnet_18': preact_resnet.create,
    'resnet_tiny': resnet_tiny.create,
    'shufflenet_v2': shufflenet_v2.create,
    'two_convs': shallow.two_convs,
    'vgg11_linear': vgg_linear.create,
    'wide_resnet': wide_resnet.create,
    'wide_resnet_tiny': wide_resnet.create_tiny,
    **{name: functools.partial(nf_resnet.create, name) for name in nf_resnet.VARIANTS},
    **{name: functools.partial(nfnet.create, name) for name in nfnet.VARIANTS},
    **{name: functools.partial(padded_resnet.create, name) for name in padded_resnet.VARIANTS},
})


def create_model(name: str, num_classes: int, **kwargs: Any) -> Model:
  """Returns a model.

  Args:
    name: one of MODELS.
    num_classes: K.
    **kwargs: the arguments of its `create`.

  Raises:
    ConfigError: an unknown name or argument; the sentence lists the valid ones.
  """
  return MODELS.make(name, num_classes, **kwargs)
