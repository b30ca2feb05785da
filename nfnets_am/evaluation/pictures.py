"""What a network sees in single pictures: the most probable classes of each, by name."""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import files as files_lib
from nfnets_am.data.stream import input as stream_input
from nfnets_am.data.stream import records
from nfnets_am.evaluation import evaluator
from nfnets_am.models import model as model_lib

_SUFFIXES = ('.jpg', '.jpeg', '.png', '.gif', '.bmp', '.webp')


@dataclasses.dataclass(frozen=True)
class Seen:
  """What is seen in a picture.

  Attributes:
    file: its path.
    labels: the most probable first.
    probabilities: of each, in [0, 1].
  """

  file: str
  labels: tuple[int, ...]
  probabilities: tuple[float, ...]


def find(path: str) -> list[pathlib.Path]:
  """Returns the pictures in a folder and in those below it, by name; or the one picture.

  Raises:
    UserError: there is nothing, or no picture in it.
  """
  root = pathlib.Path(path).expanduser()
  if root.is_file():
    return [root]
  found = sorted(file for file in root.rglob('*') if file.suffix.lower() in _SUFFIXES)
  if not found:
    what = 'holds no picture' if root.is_dir() else 'is not there'
    raise errors.UserError(f'{path} {what}; allowed: a picture, or a folder with '
                           f'{", ".join(_SUFFIXES)}')
  return found


def pixels(file: pathlib.Path, method: str, size: int) -> np.ndarray:
  """Returns a picture as networks are tested on it: uint8 [S, S, 3].

  Args:
    file: that TensorFlow or Pillow decodes.
    method: a name in crops.EVALUATION.
    size: S, in pixels.

  Raises:
    UserError: the file is no picture.
  """
  tf = tensorflow.import_tensorflow()
  try:
    encoded = files_lib.readable(tf.constant(file.read_bytes()))
    return crops.EVALUATION[method](records.decode(encoded), size).numpy()
  except OSError as e:
    raise errors.UserError(f'{file} cannot be read: {e.strerror}') from None
  except tf.errors.OpError:
    raise errors.UserError(
        f'{file} is no whole picture; allowed: {", ".join(_SUFFIXES)}') from None


def classify(model: model_lib.Model, weights: evaluator.Weights, files: Sequence[pathlib.Path],
             *, size: int, method: str, normalise: str,
             most: int = 5) -> Iterator[Seen]:
  """Yields what a network sees in each picture, one after the other.

  Args:
    model: of the weights.
    weights: params and averages.
    files: pictures.
    size: S, to which they are cropped, in pixels.
    method: how they are cropped, a name in crops.EVALUATION.
    normalise: a call of the op, 'normalise(mean=.5, std=.5)'; ImageNet's numbers if it says none.
    most: classes of each, at most K.

  Raises:
    UserError: a file is no picture.
  """
  augmentation = ops.parse(f'crop({size}) | {normalise}').bind(
      stream_input.IMAGENET_MEAN, stream_input.IMAGENET_STD)

  @jax.jit
  def logits(images):
    state = model_lib.State(weights.averages, model.init_carry(len(images)))
    outputs, _ = model.apply(weights.params, state, None, augmentation.normalised(images),
                             model_lib.EVALUATION)
    return jax.nn.softmax(outputs.logits.astype(jnp.float32))

  for file in files:
    probabilities = np.asarray(logits(pixels(file, method, size)[None])[0])
    labels = np.argsort(-probabilities, kind='stable')[:most]
    yield Seen(str(file), tuple(map(int, labels)), tuple(map(float, probabilities[labels])))
