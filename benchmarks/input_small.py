"""Views per second for 32x32 images: ours on host and device, a per-image pipeline, memory copy.

  JAX_PLATFORMS=cpu python -m benchmarks.input_small [--rounds=7] [--json=FILE]

Each update holds 1,024 views of 1024/n unique images out of 50,000 (random bytes, 32x32x3): pad 4
with black, crop, flip, uint8. Contenders:

  per-image map   the usual tf.data pipeline, a Dataset.map over single images: pads each once,
                  then crops and flips it n times, batches, prefetches. The peer, ratio 1.
  host            nfnets_am, data.apply='host'
  device          nfnets_am, data.apply='device': draws on the host, pixels by a jitted function
  numpy copy      numpy copying as many bytes, without any augmentation: the bound
  host, mixup     and so on: as host and device, each row mixed with that of another image

Memory that is freed stays with the process, as in every command (core/freed_memory.py): else each
buffer of 3 MB is the system's to clear, which takes as long as to fill it. In a process whose steps
are a CPU's, all threads have one heap for that, where the peer's many small ops wait for each
other: --heaps gives each thread a heap, as in processes whose steps are an accelerator's.

All take turns in every round, so that a burst of other work on the machine meets all of them;
the ratios are medians over rounds of the ratio within a round. For a pair op the second ratio is to
the same place without it.
"""

import argparse
from collections.abc import Callable
from collections.abc import Iterator
import functools
import itertools
import json
import pathlib
import statistics
import time

import jax
import numpy as np
import rich.console
import rich.progress
import rich.table

from nfnets_am.core import freed_memory
from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import sources
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib

PEER = 'per-image map'
PAD = 4
# Contender -> what stands between flip and normalise.
MIXING = {'': '', **{f', {name}': f"mix('{name}()') | "
                     for name in ('mixup', 'cutmix', 'vh_mixup', 'random_pixels')}}


def way(mixing: str) -> ops.Augmentation:
  """An image's way, an entry of MIXING."""
  return ops.parse(f'pad_crop(pad={PAD}) | flip() | {MIXING[mixing]}normalise()')


def per_image_map(split: sources.Split, batch: int, n: int) -> Iterator[np.ndarray]:
  """The peer: images one by one through Dataset.map, in the order a shuffle gives."""
  tf = tensorflow.import_tensorflow()

  def draw_views(image, label):
    padded = tf.pad(image, [[PAD, PAD], [PAD, PAD], [0, 0]])
    crops = [tf.image.random_crop(padded, image.shape) for _ in range(n)]
    return tf.stack([tf.image.random_flip_left_right(x) for x in crops]), tf.repeat(label, n)

  dataset = tf.data.Dataset.from_tensor_slices(tuple(split))
  dataset = dataset.shuffle(len(split.label), seed=0).repeat()
  dataset = dataset.map(draw_views, num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.batch(batch // n, drop_remainder=True)
  dataset = dataset.map(
      lambda image, label: (tf.reshape(image, [batch, *image.shape[2:]]), tf.reshape(label, [-1])))
  for image, _ in dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
    yield image


def make_plan(split: sources.Split, batch: int, n: int) -> views.ViewPlan:
  return views.ViewPlan(
      examples=len(split.label), unique=batch // n, multiplicity=n, neighbouring=False,
      shuffle_seed=0, layout='image_major')


def host(split: sources.Split, batch: int, n: int, mixing: str = '') -> Iterator[np.ndarray]:
  """Ours, pixels on the host."""
  batches = memory_batches.host_batches(
      split, make_plan(split, batch, n), way(mixing), 0, 0, 10**6, apply='host')
  return (b['image'] for b in batches)


def device(split: sources.Split, batch: int, n: int, mixing: str = '') -> Iterator[jax.Array]:
  """Ours, pixels on the device. At most two updates are under way, as in training."""
  augmentation = way(mixing)
  batches = memory_batches.host_batches(
      split, make_plan(split, batch, n), augmentation, 0, 0, 10**6, apply='device')
  images = jax.device_put(split.image)

  @jax.jit
  def apply(images, b):
    lanes = [augmentation_lib.Lane(images, b[f'{prefix}draws'], b[f'{prefix}index'])
             for prefix in ('', 'partner_') if f'{prefix}index' in b]
    if 'partner_row' in b:
      lanes.append(augmentation_lib.Lane(None, {}, b['partner_row']))
    return augmentation.follow(arrays.JAX, 0, augmentation.at, *lanes)[0]

  ahead = None
  for b in batches:
    ahead, ready = apply(images, b), ahead
    if ready is not None:
      yield ready.block_until_ready()


def numpy_copy(split: sources.Split, batch: int, n: int) -> Iterator[np.ndarray]:
  """Copies `batch` images in a row, as fast as memory allows."""
  del n
  target = np.empty_like(split.image[:batch])
  for start in itertools.cycle(range(0, len(split.label) - batch + 1, batch)):
    np.copyto(target, split.image[start:start + batch])
    yield target


CONTENDERS = {PEER: per_image_map, 'numpy copy': numpy_copy, **{
    place.__name__ + mixing: functools.partial(place, mixing=mixing)
    for mixing in MIXING for place in (host, device)}}


def views_per_second(stream: Iterator, batch: int, seconds: float) -> float:
  """Rate of a stream that nothing else waits for; what its prefetching had ready is not counted."""
  for end in (.3 * seconds, seconds):
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < end or not count:
      next(stream)
      count += 1
  return batch * count / passed


def measure(split: sources.Split, batch: int, multiplicities: list[int], rounds: int,
            seconds: float, tick: Callable[[], None] = lambda: None
            ) -> dict[int, dict[str, list[float]]]:
  """Runs all contenders in turn.

  Returns:
    n -> contender -> views/s, one number per round.
  """
  rates = {n: {name: [] for name in CONTENDERS} for n in multiplicities}
  for _ in range(rounds):
    for n, (name, make) in itertools.product(multiplicities, CONTENDERS.items()):
      stream = make(split, batch, n)
      next(stream)
      rates[n][name].append(views_per_second(stream, batch, seconds))
      stream.close()
      tick()
  return rates


def summarise(rates: dict[int, dict[str, list[float]]]) -> list[dict]:
  """One row per n and contender: median, lowest and highest views/s, ratio to the peer."""
  return [
      {'n': n, 'contender': name, 'views_per_second': statistics.median(values),
       'lowest': min(values), 'highest': max(values),
       'ratio': _ratio(values, of_n[PEER]),
       'to_plain': _ratio(values, of_n[name.partition(',')[0]])}
      for n, of_n in rates.items() for name, values in of_n.items()]


def _ratio(values: list[float], base: list[float]) -> float:
  return statistics.median(v / p for v, p in zip(values, base, strict=True))


def table(rows: list[dict], rounds: int) -> rich.table.Table:
  """The rows as people read them."""
  result = rich.table.Table(title=f'32x32x3, pad-crop-flip, views/s, {rounds} rounds')
  for name in ('n', 'contender', 'median', 'lowest', 'highest', f'ratio to {PEER}',
               'to the same unmixed'):
    result.add_column(name, justify='left' if name == 'contender' else 'right')
  for row in rows:
    result.add_row(str(row['n']), row['contender'], *(
        f'{row[k]:,.0f}' for k in ('views_per_second', 'lowest', 'highest')), f'{row["ratio"]:.2f}',
        f'{row["to_plain"]:.2f}' if ',' in row['contender'] else '')
  return result


def main(argv: list[str] | None = None) -> None:
  """The command; see the top of the file."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--rounds', type=int, default=7)
  parser.add_argument('--seconds', type=float, default=1., help='per contender, n and round')
  parser.add_argument('--images', type=int, default=50_000)
  parser.add_argument('--batch', type=int, default=1024, help='views per update')
  parser.add_argument('--multiplicities', type=int, nargs='+', default=[1, 4, 16])
  parser.add_argument('--heaps', action='store_true', help='a heap for each thread')
  parser.add_argument('--json', type=pathlib.Path, help='also write the numbers of every round')
  args = parser.parse_args(argv)
  keep = freed_memory.keep if args.heaps else freed_memory.keep_buffers_of_steps
  keep()
  image = np.random.default_rng(0).integers(0, 256, (args.images, 32, 32, 3), np.uint8)
  split = sources.Split(image, np.zeros(args.images, np.int32))
  with rich.progress.Progress(transient=True) as progress:
    task = progress.add_task(
        'rounds', total=args.rounds * len(args.multiplicities) * len(CONTENDERS))
    rates = measure(split, args.batch, args.multiplicities, args.rounds, args.seconds,
                    lambda: progress.advance(task))
  rows = summarise(rates)
  rich.console.Console().print(table(rows, args.rounds))
  if args.json:
    args.json.write_text(json.dumps(
        {'device': jax.devices()[0].device_kind, 'batch': args.batch, 'summary': rows,
         'rounds': rates}, indent=1))


if __name__ == '__main__':
  main()
