"""What a network sees in single pictures, and the names of ImageNet's classes."""

import re

import jax
import numpy as np
from PIL import Image
import pytest
from skimage import data as photographs

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.data import class_names
from nfnets_am.data.ops import crops
from nfnets_am.data.tools import imagenet_names
from nfnets_am.evaluation import pictures
from nfnets_am.models import model as model_lib
from nfnets_am.models import pretrained
from tests import commands


def test_the_names_are_in_the_order_of_published_weights():
  lines = class_names.IMAGENET.read_text().splitlines()
  assert [line.split()[0] for line in lines] == imagenet_names.classes()
  names = class_names.imagenet()
  assert len(names) == 1000 and names[0].startswith('tench')
  assert (names[207], names[285], names[999].split(',')[0]) == (
      'golden retriever', 'Egyptian cat', 'toilet tissue')


def test_a_name_is_all_words_of_its_noun():
  line = '01440764 05 n 02 tench 0 Tinca_tinca 0 005 @ 01439121 n 0000 | a fish'
  assert imagenet_names.name_of(line) == 'tench, Tinca tinca'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Two photographs, one of them a WebP below a folder, and a file that is none."""
  root = tmp_path_factory.mktemp('pictures')
  (root / 'below').mkdir()
  Image.fromarray(photographs.chelsea()).save(root / 'cat.png')
  Image.fromarray(photographs.rocket()).save(root / 'below' / 'rocket.webp', lossless=True)
  (root / 'notes.txt').write_text('no picture')
  return root


def test_pixels_are_those_of_the_published_evaluation(folder):
  """The middle square at 0.875 of the short side, and all of it to S + 32 and then the middle."""
  image = Image.fromarray(photographs.chelsea())
  width, height = image.size
  side = round(64 / (64 + 32) * min(width, height))
  left, top = (width - side + 1) // 2, (height - side + 1) // 2
  boxed = image.crop((left, top, left + side, top + side)).resize((64, 64), Image.BICUBIC)
  whole = image.resize((96, 96), Image.BICUBIC).crop((16, 16, 80, 80))
  for method, expected in (('crop_resize', boxed), ('resize_crop_32', whole)):
    found = pictures.pixels(folder / 'cat.png', method, 64).astype(int)
    # TensorFlow's bicubic has no filter for making smaller images, and Pillow's has.
    assert np.abs(found - np.asarray(expected)).mean() < 12, method
    assert np.corrcoef(found.ravel(), np.asarray(expected).ravel())[0, 1] > 0.95, method


def test_what_is_no_picture_is_said(folder, tmp_path):
  assert [file.name for file in pictures.find(str(folder))] == ['rocket.webp', 'cat.png']
  assert pictures.find(str(folder / 'cat.png')) == [folder / 'cat.png']
  with pytest.raises(errors.UserError, match='holds no picture; allowed: a picture, or a folder'):
    pictures.find(str(tmp_path))
  with pytest.raises(errors.UserError, match='notes.txt is no whole picture; allowed'):
    pictures.pixels(folder / 'notes.txt', 'crop_resize', 64)


@pytest.mark.parametrize('text, said', [
    ('', '0 lines, none without'), ('a\n\nb\n', 'line 2 without')])
def test_names_of_classes_are_one_a_line(tmp_path, text, said):
  path = tmp_path / 'names.txt'
  path.write_text(text)
  with pytest.raises(errors.UserError, match=said):
    class_names.read(path)


def test_the_command_names_what_the_weights_see(folder, tmp_path):
  model = models.create_model('one_hidden', 3)
  params, state = model.init(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))
  weights, names = tmp_path / 'weights.npz', tmp_path / 'names.txt'
  pretrained.export(params, state.averages, weights)
  names.write_text('cat\ndog\nrocket\n')
  asked = [f'--weights={weights}', '--model=one_hidden', f'--images={folder}', '--size=16']
  done = commands.run('nfnets_am.evaluate', *asked, f'--names={names}')
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert lines[0] == str(folder / 'below' / 'rocket.webp') and lines[4] == str(folder / 'cat.png')
  for first in (1, 5):
    seen = [re.fullmatch(r' +([\d.]+)%  (\w+)', line).groups() for line in lines[first:first + 3]]
    shares = [float(share) for share, _ in seen]
    assert {name for _, name in seen} == {'cat', 'dog', 'rocket'}
    assert shares == sorted(shares, reverse=True) and abs(sum(shares) - 100) < 0.2
  # By hand: the same picture through the model.
  pixels = crops.EVALUATION['resize_crop_32'](photographs.chelsea(), 16).numpy()[None] / 255
  mean, deviation = np.array([.485, .456, .406]), np.array([.229, .224, .225])
  outputs, _ = model.apply(params, state, None, ((pixels - mean) / deviation).astype(np.float32),
                           model_lib.EVALUATION)
  best = np.asarray(outputs.logits)[0].argmax()
  assert lines[5].endswith(('cat', 'dog', 'rocket')[best])
  wrong = commands.run('nfnets_am.evaluate', *asked)
  assert wrong.returncode == 1 and '1000' in wrong.stderr
  both = commands.run('nfnets_am.evaluate', *asked, '--data=cifar100')
  assert both.returncode == 1 and '--data goes with a data set; not with --images' in both.stderr
