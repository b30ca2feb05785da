"""Views per second for ImageNet crops: ours, decoding per view, PIL in processes, and the floor.

  JAX_PLATFORMS=cpu python -m benchmarks.input_imagenet [--photographs=FOLDER] [--json=FILE]
  JAX_PLATFORMS=cpu python -m benchmarks.input_imagenet --memory=1000 --size=32 --views=64

A stand-in of --images JPEGs of about 425x425 is written from photographs, those of a folder or else
the seven inside matplotlib, scikit-image and scikit-learn, at a --quality that makes them nearly as
many bytes as those of ImageNet, 110 kB. Updates hold 128 views of 128/n unique images, bicubic
crops of --size pixels as uint8. Contenders:

  per view       the usual tf.data pipeline: every view decodes its window anew, random box,
                 bicubic resize, flip, normalise to float32. The peer, ratio 1, at the same n.
  per view uint8 the same, handing over bytes that the device normalises
  ours           nfnets_am, crop and flip
  ours, recipe   nfnets_am, MixUp and CutMix with fresh partners, RandAugment 4 ops magnitude 15
  PIL            one process per core, PIL and numpy: open, box, bicubic resize, flip; per view
  floor          no pipeline: what one full decode per image and one slice, resize and flip per view
                 take as single ops in a loop, times the cores

All, of every n, take turns in every round; ratios are medians over rounds of the ratio within a
round. A second table holds AIMS against what was found. CPU time per view, of all threads of this
process (so not for PIL), hardly depends on what else the machine does.

--memory=K makes K updates of the recipe at n = 16 instead, and prints how large the process is
after a tenth of them and at the end.
"""

import argparse
from collections.abc import Iterator
import io
import json
import multiprocessing
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np
from PIL import Image
import rich.console
import rich.table

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data.ops import bicubic
from nfnets_am.data.stream import batches as stream_batches
from nfnets_am.data.stream import input as stream_input
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib
from nfnets_am.data.tools import stand_in

PEER = 'per view'
RECIPE = ("mix('mixup(alpha=0.2) | cutmix()', partners='fresh') | "
          "randaugment(magnitude=15, contrast='as_published') | ")


def per_view(records: records_lib.Records, views: int, n: int, size: int, as_bytes: bool = False
             ) -> Iterator[np.ndarray]:
  """The peer: decode_and_crop_jpeg for every view, stateless draws, float32 or uint8 out."""
  tf = tensorflow.import_tensorflow()
  mean, std = (255 * tf.constant(x)
               for x in (stream_input.IMAGENET_MEAN, stream_input.IMAGENET_STD))

  def view(i, serialized):
    encoded, _ = records.parse(serialized)
    shape = tf.image.extract_jpeg_shape(encoded)
    seed = tf.stack([i, tf.constant(0, tf.int64)])
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape, tf.constant([[[0., 0., 1., 1.]]]), seed=seed, min_object_covered=0.1,
        aspect_ratio_range=(3 / 4, 4 / 3), area_range=(0.08, 1.0), max_attempts=10,
        use_image_if_no_bounding_boxes=True)
    window = tf.io.decode_and_crop_jpeg(
        encoded, tf.concat([begin[:2], extent[:2]], 0), channels=3)
    image = tf.image.resize(window, [size, size], 'bicubic')
    image = tf.image.stateless_random_flip_left_right(image, seed)
    if as_bytes:
      return tf.saturate_cast(tf.round(image), tf.uint8)
    return (tf.clip_by_value(image, 0, 255) - mean) / std

  dataset = tf.data.TFRecordDataset(list(records.paths)).repeat().shuffle(256, seed=0)
  dataset = dataset.flat_map(lambda x: tf.data.Dataset.from_tensors(x).repeat(n)).enumerate()
  dataset = dataset.map(view, num_parallel_calls=tf.data.AUTOTUNE)
  return dataset.batch(views, drop_remainder=True).prefetch(2).as_numpy_iterator()


def ours(records: records_lib.Records, views: int, n: int, size: int, recipe: bool = False
         ) -> Iterator[np.ndarray]:
  """nfnets_am, from the same records."""
  plan = stream_order.StreamPlan(
      examples=records.total, lengths=records.lengths, unique=views // n, multiplicity=n,
      neighbouring=False, shuffle_seed=0, layout='image_major', lanes=4, window=256)
  way = stream_input.make_augmentation(
      f'crop({size}) | flip() | {RECIPE if recipe else ""}normalise()')
  batches = stream_batches.host_batches(records, plan, way, way.at, 0, 0, 10**5)
  return (batch['image'] for batch in batches)


def _pil_view(task: tuple[bytes, int, int]) -> np.ndarray:
  encoded, seed, size = task
  rng = np.random.default_rng(seed)
  image = Image.open(io.BytesIO(encoded))
  for _ in range(10):
    area = image.width * image.height * rng.uniform(0.08, 1)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    w, h = round((area * ratio)**0.5), round((area / ratio)**0.5)
    if 0 < w <= image.width and 0 < h <= image.height:
      break
  else:
    w, h = image.size
  left, top = rng.integers(image.width - w + 1), rng.integers(image.height - h + 1)
  image = image.convert('RGB').resize(
      (size, size), Image.Resampling.BICUBIC, (left, top, left + w, top + h))
  return np.asarray(image)[:, ::rng.choice([-1, 1])]


def pil(records: records_lib.Records, views: int, n: int, size: int) -> Iterator[np.ndarray]:
  """PIL in one process per core; the images' bytes come from memory."""
  tf = tensorflow.import_tensorflow()
  stored = [records.parse(r)[0].numpy()
            for r in tf.data.TFRecordDataset(list(records.paths)).take(256)]
  with multiprocessing.get_context('spawn').Pool(os.cpu_count()) as pool:
    tasks = ((stored[i // n % len(stored)], i, size) for i in range(10**7))
    while True:
      part = [next(tasks) for _ in range(views)]
      yield np.stack(pool.map(_pil_view, part, chunksize=8))


def floor(records: records_lib.Records, n: int, size: int) -> float:
  """Views/s of all cores, from the measured time of single compiled ops."""
  tf = tensorflow.import_tensorflow()
  stored = [records.parse(r)[0] for r in tf.data.TFRecordDataset(list(records.paths)).take(64)]
  # The mean window is about half of the image.
  cut = tf.function(lambda image: tf.reverse(bicubic.resize(tf.slice(
      image, [20, 30, 0], [250, 280, 3]), size, size), [1]), reduce_retracing=True)
  decode = tf.function(records_lib.decode)
  images = [decode(x) for x in stored]
  large = [x for x in images if x.shape[0] >= 270 and x.shape[1] >= 310] or images[:1]
  cut(large[0])
  start = time.process_time()
  for encoded in stored:
    decode(encoded)
  decoding = (time.process_time() - start) / len(stored)
  start = time.process_time()
  for image in large:
    cut(image)
  cutting = (time.process_time() - start) / len(large)
  return os.cpu_count() / (decoding / n + cutting)


CONTENDERS = {
    PEER: per_view, 'per view uint8': lambda *a: per_view(*a, as_bytes=True), 'ours': ours,
    'ours, recipe': lambda *a: ours(*a, recipe=True), 'PIL': pil}
# (n, contender), (n, contender) that it is held against, and what their ratio should be at least.
AIMS = (((16, 'ours, recipe'), (1, 'per view uint8'), 1.0),
        ((16, 'ours'), (16, 'per view uint8'), 2.5),
        ((1, 'ours'), (1, 'per view uint8'), 1.2))
Rates = dict[tuple[int, str], list[float]]


def views_per_second(stream: Iterator, views: int, seconds: float) -> tuple[float, float]:
  """Rate of a stream that nothing else waits for, and CPU seconds per view.

  What it had ready is not counted.
  """
  for end in (.3 * seconds, seconds):
    start, cpu, count = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - start) < end or not count:
      next(stream)
      count += 1
  return views * count / passed, (time.process_time() - cpu) / (views * count)


def settle() -> None:
  """Waits until no thread of this process has anything to do: the stream before still filled up."""
  while True:
    cpu = time.process_time()
    time.sleep(.1)
    if time.process_time() - cpu < .02:
      return


def measure(records: records_lib.Records, multiplicities: list[int], *, rounds: int,
            seconds: float, size: int, views: int) -> tuple[Rates, Rates]:
  """Returns views/s and CPU ms a view: (n, contender) -> one number for each round."""
  # Streams live through the rounds: starting one compiles for seconds, some of it when the first
  # image of a size comes. Those of all n take turns, since aims are ratios between them, too.
  streams = {(n, name): make(records, views, n, size)
             for n in multiplicities for name, make in CONTENDERS.items()}
  for stream in streams.values():
    next(stream)
    views_per_second(stream, views, 2 * seconds)
  rates = {(n, name): [] for n in multiplicities for name in (*CONTENDERS, 'floor')}
  cpu = {key: [] for key in streams}
  for _ in range(rounds):
    for key, stream in streams.items():
      settle()
      rate, seconds_of_cpu = views_per_second(stream, views, seconds)
      rates[key].append(rate)
      cpu[key].append(1e3 * seconds_of_cpu)
    for n in multiplicities:
      rates[n, 'floor'].append(floor(records, n, size))
  for stream in streams.values():
    if hasattr(stream, 'close'):
      stream.close()
  return rates, cpu


def summarise(rates: Rates, cpu: Rates) -> list[dict]:
  """Returns one row per n and contender: views/s and the ratios to the peer at n and at the first.
  """
  first = next(iter(rates))[0]
  ratio = lambda values, peer: statistics.median(v / p for v, p in zip(values, peer, strict=True))
  return [{'n': n, 'contender': name, 'views_per_second': statistics.median(values),
           'lowest': min(values), 'highest': max(values), 'ratio': ratio(values, rates[n, PEER]),
           f'ratio_to_n{first}': ratio(values, rates[first, PEER]),
           'cpu_ms': statistics.median(cpu[n, name]) if name not in ('PIL', 'floor') else None}
          for (n, name), values in rates.items()]


def aims(rates: Rates) -> list[dict]:
  """Returns a row for each of AIMS whose n were measured: the ratio within a round, and the aim."""
  found = []
  for (n, name), (peer_n, peer), aim in AIMS:
    if (n, name) in rates and (peer_n, peer) in rates:
      ratios = [a / b for a, b in zip(rates[n, name], rates[peer_n, peer], strict=True)]
      found.append({'ratio': f'{name}, n = {n}', 'to': f'{peer}, n = {peer_n}',
                    'median': statistics.median(ratios), 'lowest': min(ratios),
                    'highest': max(ratios), 'aim': aim})
  return found


def table(title: str, rows: list[dict]) -> rich.table.Table:
  """The rows as people read them."""
  shown = rich.table.Table(*rows[0], title=title)
  for row in rows:
    shown.add_row(*(f'{v:,.0f}' if isinstance(v, float) and v >= 50 else
                    f'{v:.2f}' if isinstance(v, float) else str(v) for v in row.values()))
  return shown


def resident_megabytes() -> float:
  """Memory of this process that is in use now; Linux."""
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def memory(records: records_lib.Records, updates: int, *, size: int, views: int
           ) -> tuple[float, float]:
  """Returns the megabytes after a tenth of the updates and after all of them."""
  stream = ours(records, views, 16, size, recipe=True)
  found = []
  for update in range(1, updates + 1):
    next(stream)
    if update in (updates // 10, updates):
      found.append(resident_megabytes())
  return found[0], found[-1]


def main(argv: list[str] | None = None) -> None:
  """The command; see the top of the file."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--photographs', default=stand_in.PACKAGES, metavar='FOLDER')
  parser.add_argument('--images', type=int, default=512)
  parser.add_argument('--quality', type=int, default=98)
  parser.add_argument('--size', type=int, default=224)
  parser.add_argument('--views', type=int, default=128)
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--seconds', type=float, default=3.0)
  parser.add_argument('--multiplicity', type=int, nargs='+', default=[1, 4, 16])
  parser.add_argument('--memory', type=int, metavar='UPDATES')
  parser.add_argument('--json', type=pathlib.Path)
  args = parser.parse_args(argv)
  with tempfile.TemporaryDirectory() as folder:
    stand_in.write(folder, train=args.images, test=1, photographs=args.photographs,
                   quality=args.quality)
    records = records_lib.open_split('imagenet2012', 'train', folder)
    if args.memory:
      early, late = memory(records, args.memory, size=args.size, views=args.views)
      print(f'{early:,.0f} MB after {args.memory // 10} updates, {late:,.0f} MB after '
            f'{args.memory}: {late / early:.3f} times')
      return
    rates, cpu = measure(records, args.multiplicity, rounds=args.rounds, seconds=args.seconds,
                         size=args.size, views=args.views)
  rows, console = summarise(rates, cpu), rich.console.Console()
  console.print(table(f'{args.size} px, {records.mean_bytes / 1e3:.0f} kB a JPEG, '
                      f'{os.cpu_count()} cores, {args.rounds} rounds', rows))
  if of_aims := aims(rates):
    console.print(table('Aims: medians over rounds of the ratio within a round', of_aims))
  if args.json:
    args.json.write_text(json.dumps(rows, indent=1))


if __name__ == '__main__':
  try:
    main()
  except errors.UserError as e:
    raise SystemExit(f'error: {e}') from e
