"""Models by name. To add one, write a file with a `create` and a line here."""

import functools
from typing import Any

from nfnets_am.core import calls
from nfnets_am.core import registry
from nfnets_am.models import alexnet
from nfnets_am.models import awd_lstm
from nfnets_am.models import densenet
from nfnets_am.models import inception_v3
from nfnets_am.models import madry_resnet
from nfnets_am.models import mobilenet
from nfnets_am.models import mobilenet_v2
from nfnets_am.models import nasnet
from nfnets_am.models import nf_resnet
from nfnets_am.models import nfnet
from nfnets_am.models import padded_resnet
from nfnets_am.models import preact_resnet
from nfnets_am.models import qrnn
from nfnets_am.models import resnet
from nfnets_am.models import resnet_tiny
from nfnets_am.models import searched_cells
from nfnets_am.models import shallow
from nfnets_am.models import shufflenet_v2
from nfnets_am.models import transformer
from nfnets_am.models import vgg
from nfnets_am.models import vgg_linear
from nfnets_am.models import wide_resnet
from nfnets_am.models.model import Model

MODELS = registry.Registry('model', {
    'alexnet': alexnet.create,
    'awd_lstm': awd_lstm.create,
    'densenet_bc': densenet.create,
    'inception_v3': inception_v3.create,
    'linear': shallow.linear,
    'madry_resnet': madry_resnet.create,
    'madry_resnet_18': madry_resnet.create_18,
    'madry_resnet_tiny': madry_resnet.create_tiny,
    'mobilenet_v1': mobilenet.create,
    'mobilenet_v2': mobilenet_v2.create,
    'nasnet_a_large': nasnet.create,
    'one_hidden': shallow.one_hidden,
    'one_hidden_conv': shallow.one_hidden_conv,
    'preact_resnet_18': preact_resnet.create,
    'qrnn': qrnn.create,
    'resnet_cifar': resnet.create_cifar,
    'resnet_tiny': resnet_tiny.create,
    'shufflenet_v2': shufflenet_v2.create,
    'transformer': transformer.create,
    'two_convs': shallow.two_convs,
    'vgg11_linear': vgg_linear.create,
    'wide_resnet': wide_resnet.create,
    'wide_resnet_postact': resnet.create_wide,
    'wide_resnet_tiny': wide_resnet.create_tiny,
    **{name: functools.partial(nf_resnet.create, name) for name in nf_resnet.VARIANTS},
    **{name: functools.partial(nfnet.create, name) for name in nfnet.VARIANTS},
    **{name: functools.partial(padded_resnet.create, name) for name in padded_resnet.VARIANTS},
    **{name: functools.partial(resnet.create, name) for name in resnet.VARIANTS},
    **{name: functools.partial(searched_cells.create, name) for name in searched_cells.VARIANTS},
    **{name: functools.partial(vgg.create, name) for name in vgg.VARIANTS},
})


_LANGUAGE = calls.Language('model', 'a model', 'wide_resnet(depth=28, width=10)')


def parse(text: str) -> tuple[str, dict[str, Any]]:
  """Returns name and arguments of a model as a command line says it.

  Args:
    text: a name, or a call such as "resnet_tiny(norm='group()')".

  Raises:
    ConfigError: it cannot be read, or the name or an argument is unknown.
  """
  if text in MODELS:
    return text, {}
  if '(' not in text:
    MODELS[text]  # Says which names there are.
  name, kwargs = calls.one(text, _LANGUAGE, keys_of=lambda name: MODELS.keys_of(name))
  registry.check_kwargs(f'model {name!r}', MODELS[name], kwargs)
  return name, kwargs


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
