"""Twenty labelled pictures of ImageNet, held against Pillow: decoding, classes, the two crops.

They lie inside the wheel of foolbox, and are only read there; none of its code is run.
"""

import importlib.util
import pathlib

import numpy as np
from PIL import Image
import pytest

from nfnets_am.data import class_names
from nfnets_am.data import tensorflow
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import records
from nfnets_am.evaluation import pictures

# What is to be seen in each picture, by a look at it, in their order. None: stained glass, which
# nobody would call the prayer rug of its label.
_SEEN = (
    'bull mastiff', 'folding chair', 'beaker', 'horse chestnut', 'strawberry', 'thatched roof',
    'jeep', 'landrover', 'yurt', 'bottlecap', 'drum', 'Loafer', None, 'cannon', 'spoonbill',
    'goose', 'dalmatian', 'bald eagle', 'leafhopper', 'dung beetle')


@pytest.fixture(scope='module')
def files() -> list[pathlib.Path]:
  """The pictures, in their order: imagenet_NUMBER_LABEL.jpg."""
  spec = importlib.util.find_spec('foolbox')
  if spec is None:
    pytest.skip('foolbox is not installed')
  folder = pathlib.Path(spec.submodule_search_locations[0]) / 'data'
  found = sorted(folder.glob('imagenet_*.jpg'))
  assert len(found) == len(_SEEN)
  return found


@pytest.fixture(scope='module')
def decoded(files) -> list[np.ndarray]:
  """The same as evaluations decode them: uint8 [H, W, 3]."""
  tf = tensorflow.import_tensorflow()
  return [records.decode(tf.constant(file.read_bytes())).numpy() for file in files]


def test_a_label_names_what_is_to_be_seen(files):
  names = class_names.imagenet()
  for file, seen in zip(files, _SEEN, strict=True):
    if seen:
      assert seen in names[int(file.stem.split('_')[2])].split(', '), file.name


def test_pictures_are_decoded_as_by_pillow_but_for_the_quicker_transform(files, decoded):
  """TensorFlow's default, which the published code takes, is the decoder's quicker DCT."""
  tf = tensorflow.import_tensorflow()
  for file, found in zip(files, decoded, strict=True):
    expected = np.asarray(Image.open(file))
    accurate = tf.io.decode_jpeg(file.read_bytes(), channels=3, dct_method='INTEGER_ACCURATE')
    np.testing.assert_array_equal(accurate, expected, err_msg=file.name)
    apart = found.astype(int) - expected
    assert np.abs(apart).max() <= 7 and -0.85 < apart.mean() < -0.65, file.name


def _resized(image: np.ndarray, side: int) -> np.ndarray:
  """Pillow's bicubic resize in floats: between its two passes it would round bytes."""
  planes = [Image.fromarray(plane.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
            for plane in np.moveaxis(image, -1, 0)]
  return np.stack([np.asarray(plane) for plane in planes], -1)


def _by_pillow(image: np.ndarray, method: str, size: int, right: int = 0, down: int = 0
               ) -> np.ndarray:
  """A crop as it is published, or some pixels beside it: float32 [S, S, 3] in [0, 255]."""
  if method == 'crop_resize':
    short = min(image.shape[:2])
    side = int(size / (size + 32) * short)
    top, left = ((length - side + 1) // 2 for length in image.shape[:2])
    image = image[top + down:top + down + side, left + right:left + right + side]
    return np.clip(_resized(image, size), 0, 255)
  whole = np.clip(_resized(image, size + 32), 0, 255)
  return whole[16 + down:16 + down + size, 16 + right:16 + right + size]


# The test size of NFNet-F7, and one that makes the largest picture larger, too.
@pytest.mark.parametrize('method', ['crop_resize', 'resize_crop_32'])
def test_larger_crops_are_those_of_pillow_to_the_last_level(files, decoded, method):
  for file, image in zip(files, decoded, strict=True):
    size = 608 if max(image.shape) <= 640 else 1024
    found = pictures.pixels(file, method, size)
    # Half a level is rounded away, and TensorFlow knows only 1,024 places between two pixels.
    apart = np.abs(found - _by_pillow(image, method, size))
    assert apart.max() < 1.1 and (apart > 0.6).mean() < 1e-3, (file.name, apart.max())


# The test sizes of NF-ResNets and of NFNet-F0, each with its published evaluation.
@pytest.mark.parametrize('method, size', [('crop_resize', 224), ('resize_crop_32', 256)])
def test_smaller_crops_are_at_the_place_of_pillows(files, decoded, method, size):
  """Pillow smooths what it makes smaller and TensorFlow doesn't, so that they are not the same; but
  no place a pixel beside is as near."""
  for file, image in zip(files, decoded, strict=True):
    found = crops.EVALUATION[method](tensorflow.import_tensorflow().constant(image), size).numpy()
    apart = {(right, down): np.abs(found - _by_pillow(image, method, size, right, down)).mean()
             for right, down in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))}
    at = apart.pop((0, 0))
    assert at < 10 and at * 1.3 < min(apart.values()), file.name
