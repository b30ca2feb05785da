"""Each op against PIL, eagerly and inside Dataset.map; draws; the published magnitudes."""

import functools

import jax
import numpy as np
from PIL import Image
from PIL import ImageEnhance
from PIL import ImageOps
import pytest

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import colour
from nfnets_am.data.ops import randaugment
from nfnets_am.data.ops import warp
from tests.data import photographs

tf = tensorflow.import_tensorflow()
xp = arrays.tf()

IMAGES = {
    'photograph': photographs.crop(48, 56),
    'dark': photographs.crop(48, 56) // 3,
    'flat': np.full((48, 56, 3), (10, 200, 10), np.uint8),
    'noise': np.random.default_rng(0).integers(0, 256, (48, 56, 3), np.uint8),
}
FACTORS = (1.0, 1.9, 2.8, 0.1, 0.46)


def _mean_grey(image, factor):
  grey = int(np.asarray(image.convert('L'), np.float64).mean() + 0.5)
  return Image.blend(Image.new('RGB', image.size, (grey,) * 3), image, factor)


# name -> (ours, PIL)
COLOUR = {
    'autocontrast': (lambda x: colour.autocontrast(xp, x), ImageOps.autocontrast),
    'equalize': (lambda x: colour.equalize(xp, x), ImageOps.equalize),
    'invert': (lambda x: colour.invert(xp, x), ImageOps.invert),
}
for _bits in (2, 4, 6, 8):
  COLOUR[f'posterize {_bits}'] = (lambda x, b=_bits: colour.posterize(xp, x, b),
                                  lambda x, b=_bits: ImageOps.posterize(x, b))
for _threshold in (0, 128, 255, 256, 384):
  COLOUR[f'solarize {_threshold}'] = (lambda x, t=_threshold: colour.solarize(xp, x, t),
                                      lambda x, t=_threshold: ImageOps.solarize(x, t))
for _factor in FACTORS:
  COLOUR |= {
      f'color {_factor}': (lambda x, f=_factor: colour.color(xp, x, f),
                           lambda x, f=_factor: ImageEnhance.Color(x).enhance(f)),
      f'contrast {_factor}': (lambda x, f=_factor: colour.contrast(xp, x, f, 'fixed'),
                              lambda x, f=_factor: _mean_grey(x, f)),
      f'brightness {_factor}': (lambda x, f=_factor: colour.brightness(xp, x, f),
                                lambda x, f=_factor: ImageEnhance.Brightness(x).enhance(f)),
      f'sharpness {_factor}': (lambda x, f=_factor: colour.sharpness(xp, x, f),
                               lambda x, f=_factor: ImageEnhance.Sharpness(x).enhance(f)),
  }


@pytest.mark.parametrize('name', COLOUR)
def test_colour_ops_are_those_of_pil(name):
  ours, pil = COLOUR[name]
  for image in IMAGES.values():
    wanted = np.asarray(pil(Image.fromarray(image)))
    difference = np.abs(ours(tf.constant(image)).numpy().astype(int) - wanted)
    # PIL blends in float32: where the exact value is an integer, it may fall one below.
    allowed = 1 if name.split()[-1] in map(str, FACTORS) else 0
    assert difference.max() <= allowed, name
    assert (difference > 0).mean() < 0.02, name


def test_solarize_add_adds_to_dark_values_only():
  image = IMAGES['noise']
  wanted = np.where(image < 128, np.minimum(image.astype(int) + 165, 255), image)
  np.testing.assert_array_equal(colour.solarize_add(xp, tf.constant(image), 165), wanted)


@pytest.mark.parametrize('size, grey', [((224, 224), 196), ((192, 192), 144), ((256, 256), 255)])
def test_published_contrast_blends_with_the_size_of_the_image(size, grey):
  image = photographs.crop(*size)
  wanted = Image.blend(Image.new('RGB', size[::-1], (grey,) * 3), Image.fromarray(image), 1.9)
  found = colour.contrast(xp, tf.constant(image), 1.9, 'as_published').numpy()
  assert np.abs(found.astype(int) - np.asarray(wanted)).max() <= 1


MATRICES = {
    'rotate': warp.rotate(15, 48, 56),
    'rotate back': warp.rotate(-45, 48, 56),
    'shear_x': warp.shear_x(0.43),
    'shear_y': warp.shear_y(-0.13),
}


@pytest.mark.parametrize('name', MATRICES)
def test_warps_are_those_of_pil(name):
  matrix = MATRICES[name]
  image = IMAGES['noise']
  wanted = np.asarray(_affine(Image.fromarray(image), *matrix.tolist()))
  reference = tf.raw_ops.ImageProjectiveTransformV3(
      images=image[None], transforms=np.append(matrix, [0, 0])[None].astype(np.float32),
      output_shape=[48, 56], fill_value=128.0, interpolation='NEAREST',
      fill_mode='CONSTANT')[0].numpy()
  found = warp.affine(xp, tf.constant(image), matrix).numpy()
  # Sources that lie halfway between two pixels go either way.
  for other in (wanted, reference):
    assert (found != other).any(-1).mean() < 0.02


@pytest.mark.parametrize('right, down', [(20, 0), (-20, 0), (0, 7), (0, -7), (150, 0), (0, -150)])
def test_translations_are_those_of_pil(right, down):
  image = IMAGES['noise']
  wanted = np.asarray(_affine(Image.fromarray(image), 1, 0, right, 0, 1, down))
  np.testing.assert_array_equal(warp.moved(xp, tf.constant(image), right, down), wanted)


def test_rotation_turns_like_pil_about_the_middle():
  image = IMAGES['photograph']
  wanted = np.asarray(Image.fromarray(image).rotate(30, fillcolor=(128,) * 3))
  found = warp.affine(xp, tf.constant(image), warp.rotate(30, 48, 56)).numpy()
  assert (found != wanted).any(-1).mean() < 0.02


@pytest.mark.parametrize('row, col', [(0, 0), (20, 30), (47, 55), (3, 50)])
def test_cutout_is_a_clipped_grey_square(row, col):
  image = IMAGES['noise']
  wanted = image.copy()
  wanted[max(row - 10, 0):row + 10, max(col - 10, 0):col + 10] = 128
  np.testing.assert_array_equal(warp.cutout(xp, tf.constant(image), row, col, 10), wanted)


@pytest.mark.parametrize('magnitude, wanted', [
    (5, (15, .15, 50, 2, 128, 55, 1.0, 20)), (10, (30, .3, 100, 4, 256, 110, 1.9, 40)),
    (15, (45, .45, 150, 6, 384, 165, 2.8, 60))])
def test_published_magnitudes(magnitude, wanted):
  found = randaugment.levels(magnitude)
  assert tuple(vars(found).values()) == pytest.approx(wanted)


def _draws(op, seed, rows, height=30, width=20):
  return ops.Augmentation('made by hand', [('randaugment', op), ('normalise', ops.Normalise())]
                          ).draws(seed, rows, height, width)['randaugment']


def _rows(count):
  return views.Rows(np.arange(count), np.zeros(count, int), np.arange(count) % 4)


def test_draws_are_uniform_and_a_function_of_the_row():
  op = randaugment.RandAugment(contrast='fixed')
  draws = _draws(op, 7, _rows(20_000))
  shares = np.bincount(draws['op'].reshape(-1), minlength=16) / 80_000
  assert np.abs(shares - 1 / 16).max() < 0.005
  assert abs(draws['sign'].mean()) < 0.02 and set(np.unique(draws['sign'])) == {-1, 1}
  assert set(np.unique(draws['row'])) == set(range(30))
  assert set(np.unique(draws['col'])) == set(range(20))
  # Layers are independent.
  assert abs((draws['op'][:, 0] == draws['op'][:, 1]).mean() - 1 / 16) < 0.01
  part = _draws(op, 7, views.Rows(*(x[100:103] for x in _rows(20_000))))
  for name, values in part.items():
    np.testing.assert_array_equal(values, draws[name][100:103])
  assert (_draws(op, 8, _rows(100))['op'] != draws['op'][:100]).any()


@pytest.mark.parametrize('channels', [1, 3])
def test_host_and_device_give_the_same_bytes(channels):
  op = randaugment.RandAugment(num_ops=3, magnitude=7, contrast='fixed')
  images = np.stack([x[..., :channels] for x in IMAGES.values()] * 12)
  draws = _draws(op, 3, _rows(len(images)), 48, 56)
  assert len(np.unique(draws['op'])) == len(randaugment.OPS)
  host = tf.function(functools.partial(op.apply, xp), jit_compile=True)(
      tf.constant(images), {k: tf.constant(v) for k, v in draws.items()})
  device = jax.jit(functools.partial(op.apply, arrays.JAX))(images, draws)
  np.testing.assert_array_equal(host, device)


def test_rows_side_by_side_are_those_of_one_after_another():
  # An accelerator takes all rows at once.
  op = randaugment.RandAugment(num_ops=2, magnitude=7, contrast='fixed')
  images = np.stack(list(IMAGES.values()) * 4)
  draws = _draws(op, 3, _rows(len(images)), 48, 56)
  together = jax.jit(jax.vmap(functools.partial(op.apply_image, arrays.JAX)))(images, draws)
  np.testing.assert_array_equal(together, op.apply(arrays.JAX, images, draws))


def test_compiled_in_a_dataset_every_layer_does_what_it_does_alone():
  op = randaugment.RandAugment(num_ops=2, magnitude=15, contrast='fixed')
  names = np.arange(len(randaugment.OPS), dtype=np.int32)
  draws = {'op': np.stack([names, np.roll(names, 5)], 1),
           'sign': np.tile(np.int32([[-1, 1], [1, -1]]), (8, 1)),
           'row': np.tile(np.int32([5, 40]), (16, 1)), 'col': np.tile(np.int32([50, 9]), (16, 1))}
  image = tf.constant(IMAGES['photograph'])
  apply = tf.function(functools.partial(op.apply_image, xp), jit_compile=True)
  dataset = tf.data.Dataset.from_tensor_slices(draws).map(lambda d: apply(image, d))
  for i, found in enumerate(dataset.as_numpy_iterator()):
    wanted = image
    for layer in range(2):
      wanted = op.apply_op(xp, wanted, *(
          tf.constant(draws[k][i, layer]) for k in ('op', 'sign', 'row', 'col')))
    # Warps: sources halfway between two pixels go either way.
    assert (found != wanted.numpy()).mean() < 0.005, randaugment.OPS[i]


def _affine(image, a, b, c, d, e, f):
  # PIL's pixel centres lie at one half.
  data = (a, b, c + 0.5 - a / 2 - b / 2, d, e, f + 0.5 - d / 2 - e / 2)
  return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.NEAREST,
                         fillcolor=(128,) * 3)


def _cut_out(image, reach):
  image = np.array(image)
  image[max(20 - reach, 0):20 + reach, max(30 - reach, 0):30 + reach] = 128
  return Image.fromarray(image)


# Op -> what it does at magnitude m and sign s, by PIL; cutout at (20, 30).
PUBLISHED = {
    'autocontrast': lambda x, m, s: ImageOps.autocontrast(x),
    'equalize': lambda x, m, s: ImageOps.equalize(x),
    'invert': lambda x, m, s: ImageOps.invert(x),
    'rotate': lambda x, m, s: x.rotate(3 * m * s, fillcolor=(128,) * 3),
    'posterize': lambda x, m, s: ImageOps.posterize(x, 4 * m // 10),
    'solarize': lambda x, m, s: ImageOps.solarize(x, 256 * m // 10),
    'color': lambda x, m, s: ImageEnhance.Color(x).enhance(.1 + .18 * m),
    'contrast': lambda x, m, s: _mean_grey(x, .1 + .18 * m),
    'brightness': lambda x, m, s: ImageEnhance.Brightness(x).enhance(.1 + .18 * m),
    'sharpness': lambda x, m, s: ImageEnhance.Sharpness(x).enhance(.1 + .18 * m),
    'shear_x': lambda x, m, s: _affine(x, 1, .03 * m * s, 0, 0, 1, 0),
    'shear_y': lambda x, m, s: _affine(x, 1, 0, 0, .03 * m * s, 1, 0),
    'translate_x': lambda x, m, s: _affine(x, 1, 0, 10 * m * s, 0, 1, 0),
    'translate_y': lambda x, m, s: _affine(x, 1, 0, 0, 0, 1, 10 * m * s),
    'cutout': lambda x, m, s: _cut_out(x, 4 * m),
    'solarize_add': lambda x, m, s: x.point(lambda v: min(v + 11 * m, 255) if v < 128 else v),
}


@pytest.mark.parametrize('magnitude', [3, 5, 10, 15])
def test_every_op_of_a_layer_is_the_published_one_by_pil(magnitude):
  op = randaugment.RandAugment(magnitude=magnitude, contrast='fixed')
  assert set(PUBLISHED) == set(randaugment.OPS)
  image = photographs.crop(200, 240, zoom=1)
  for index, name in enumerate(randaugment.OPS):
    for sign in (-1, 1):
      found = op.apply_op(
          xp, tf.constant(image), tf.constant(index), tf.constant(sign), 20, 30).numpy()
      wanted = np.asarray(PUBLISHED[name](Image.fromarray(image), magnitude, sign))
      # Blends may round down by one, warps take either of two pixels that are equally near: in a
      # shear by 0.3 these are the sources of every tenth row.
      allowed = 0.1 if 'shear' in name else 0.02
      assert (np.abs(found.astype(int) - wanted) > 1).any(-1).mean() < allowed, (name, sign)


def test_solarize_in_two_forms():
  image = tf.constant(IMAGES['noise'])
  index = randaugment.OPS.index('solarize')
  apply = lambda m, form: randaugment.RandAugment(
      magnitude=m, contrast='fixed', solarize=form).apply_op(xp, image, tf.constant(index), 1, 0, 0)
  np.testing.assert_array_equal(apply(15, 'fixed'), image)
  np.testing.assert_array_equal(apply(10, 'as_published'), 255 - image)
  np.testing.assert_array_equal(apply(15, 'as_published'), colour.solarize(xp, image, 128))
  np.testing.assert_array_equal(apply(5, 'fixed'), apply(5, 'as_published'))


@pytest.mark.parametrize('magnitude', [5, 10, 15])
def test_a_published_threshold_is_what_a_graph_makes_of_it(magnitude):
  image = IMAGES['noise']
  op = randaugment.RandAugment(magnitude=magnitude, contrast='fixed', solarize='as_published')
  found = op.apply_op(xp, tf.constant(image), tf.constant(randaugment.OPS.index('solarize')), 1, 0,
                      0)
  # The comparison of bytes with a Python number, as a graph of Dataset.map builds it.
  threshold = int(magnitude / 10 * 256)
  in_graph = tf.data.Dataset.from_tensors(image).map(
      lambda x: tf.where(x < threshold, x, 255 - x))
  np.testing.assert_array_equal(found, next(iter(in_graph)))


def test_the_published_luma_is_within_two_of_pils():
  image = tf.constant(IMAGES['noise'])
  for factor in (1.9, 2.8):
    grey = tf.cast(tf.image.rgb_to_grayscale(image), tf.float32)
    published = tf.cast(tf.clip_by_value(
        grey + factor * (tf.cast(image, tf.float32) - grey), 0, 255), tf.uint8)
    difference = np.abs(published.numpy().astype(int) - colour.color(xp, image, factor))
    assert 0 < (difference > 0).mean() < 0.6 and difference.max() <= 2


@pytest.mark.parametrize('wrong', [{'num_ops': 0}, {'magnitude': 21}, {'magnitude': 2.5},
                                   {'contrast': 'pil'}, {'solarize': 'no'}])
def test_refuses(wrong):
  with pytest.raises(errors.ConfigError, match=next(iter(wrong))):
    randaugment.RandAugment(**({'contrast': 'fixed'} | wrong))
