"""What real sets hold besides plain JPEGs goes the whole way; what cannot be used ends by name."""

import io

import numpy as np
from PIL import Image
import pytest

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import batches as stream_batches
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records
from tests.data import encoded
from tests.data import photographs
from tests.data.ops import helpers

COUNT, SIZE = 16, 24
WAY = ops.parse(f'crop({SIZE}) | flip() | normalise()')
# Image -> what is stored under a .JPEG name.
ODD = {3: ('CMYK', 'JPEG'), 4: ('L', 'JPEG'), 7: ('RGB', 'PNG'), 12: ('L', 'PNG')}
PIXEL = 9
# A JPEG with bytes behind its end.
PADDED = 14


def _stored(image: Image.Image, mode: str, kind: str) -> bytes:
  out = io.BytesIO()
  image.convert(mode).save(out, kind)
  return out.getvalue()


def _examples():
  rows = encoded.examples(COUNT)
  photograph = Image.fromarray(photographs.crop(60, 50))
  for i, (mode, kind) in ODD.items():
    rows[i] = rows[i]._replace(image=_stored(photograph, mode, kind))
  rows[PIXEL] = rows[PIXEL]._replace(image=encoded.jpeg(np.full((1, 1, 3), 77, np.uint8)))
  rows[PADDED] = rows[PADDED]._replace(image=rows[PADDED].image + 3000 * b'\0')
  return rows


def _batches(folder, rows, multiplicity):
  encoded.write(folder, (10, 6), rows)
  opened = records.open_split('photographs', 'train', str(folder))
  plan = stream_order.StreamPlan(
      examples=COUNT, unique=8, multiplicity=multiplicity, neighbouring=False, shuffle_seed=0,
      layout='image_major', lengths=(10, 6), lanes=4, window=16)
  return plan, stream_batches.host_batches(
      opened, plan, WAY, WAY.at, 5, 0, 2)


@pytest.mark.parametrize('multiplicity', [1, 2])
def test_odd_images_are_cropped_like_any_other(tmp_path, multiplicity):
  stored = _examples()
  plan, batches = _batches(tmp_path, stored, multiplicity)
  seen = set()
  for k, batch in enumerate(batches):
    for found, (example, epoch, view) in zip(
        batch['image'], zip(*plan.update(k), strict=True), strict=True):
      row = views.Rows(*(np.array([x]) for x in (example, epoch, view)))
      wanted = crops.views_of(
          records.decode(stored[example].image), helpers.crop_draws(5, row), SIZE)[0].numpy()
      # One view of a JPEG decodes its window alone: colours at its edges may differ a little.
      assert np.abs(found.astype(int) - wanted).mean() < 1, example
      if example == PIXEL:
        assert np.abs(found.astype(int) - 77).max() <= 1
      seen.add(int(example))
  assert seen == set(range(COUNT))


# A share of the bytes; -2: only the end-of-image marker is missing.
@pytest.mark.parametrize('multiplicity, left', [
    (1, 0.5), (1, 0.9), (1, 0.99), (1, -2), (2, 0.9), (2, -2)])
def test_a_truncated_jpeg_ends_the_run_by_name(tmp_path, multiplicity, left):
  stored = encoded.examples(COUNT)
  whole = encoded.jpeg(photographs.crop(60, 50))
  stored[11] = stored[11]._replace(image=whole[:int(left * len(whole)) if left > 0 else left])
  _, batches = _batches(tmp_path, stored, multiplicity)
  with pytest.raises(errors.UserError, match=(
      r'record 1 of shard photographs-train.tfrecord-00001-of-00002 \(image 11 of the split')):
    list(batches)
