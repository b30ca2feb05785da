"""The one seam between per-device code and many devices on many hosts.

A step is written for one device, with the axis name 'data' for its collectives. Here it is mapped
over all devices, by `jax.pmap` or by `jax.shard_map`; both give the same update. What is the same
on all devices is replicated without a leading device axis, so that nothing outside this file
indexes `[0]`; what each device has its own rows of has that axis in front.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
from typing import Any

import jax
from jax.sharding import Mesh
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np

from nfnets_am.core import registry

AXIS = 'data'


def _pmap(step: Callable[..., Any], in_axes: Any, out_axes: Any, donate: tuple[int, ...],
          devices: Sequence[jax.Device] | None) -> Callable[..., Any]:
  return jax.pmap(step, axis_name=AXIS, in_axes=in_axes, out_axes=out_axes, donate_argnums=donate,
                  devices=devices)


def _shard_map(step: Callable[..., Any], in_axes: Any, out_axes: Any, donate: tuple[int, ...],
               devices: Sequence[jax.Device] | None) -> Callable[..., Any]:
  def on_device(*args):
    out = step(*_where_sharded(lambda x: x[0], in_axes, args))
    return _where_sharded(lambda x: x[None], out_axes, out)

  specs = functools.partial(
      jax.tree.map, lambda axis: PartitionSpec() if axis is None else PartitionSpec(AXIS),
      is_leaf=lambda x: x is None)
  # check_vma=True would insert a sum of its own behind the step's mean: with D devices the gradient
  # would be D times too large, without a word.
  mapped = jax.shard_map(
      on_device, mesh=_mesh_of(devices) if devices else mesh(), in_specs=specs(in_axes),
      out_specs=specs(out_axes), check_vma=False)
  return jax.jit(mapped, donate_argnums=donate)


def _where_sharded(change: Callable[[Any], Any], axes: Any, tree: Any) -> Any:
  """Changes the leaves of a tree under those of a prefix of it that are 0."""
  return jax.tree.map(lambda axis, part: part if axis is None else jax.tree.map(change, part),
                      axes, tree, is_leaf=lambda x: x is None)


BACKENDS = registry.Registry('backend', {'pmap': _pmap, 'shard_map': _shard_map})


def map_step(
    step: Callable[..., Any], backend: str, *, in_axes: Any, out_axes: Any = None,
    donate: tuple[int, ...] = (), devices: Sequence[jax.Device] | None = None,
) -> Callable[..., Any]:
  """Maps per-device code over all devices.

  Args:
    step: of one device.
    backend: 'pmap' or 'shard_map'.
    in_axes: for each argument, or as a tree that begins like it: None for what is the same on all
      devices (placed by `replicate`), 0 for what each device has its own rows of (`shard`).
    out_axes: the same for what the step returns; what is the same must have been averaged or summed
      over 'data'.
    donate: arguments whose memory the results may take.
    devices: all devices of all hosts by default; others only to compile for a described topology.

  Returns:
    The same function of placed arguments.
  """
  return BACKENDS[backend](step, in_axes, out_axes, donate, devices)


def mean_over_devices(tree: Any) -> Any:
  """Returns a tree with its floats averaged over devices; integers are the same on all of them.

  A count, such as that of the updates that a moving average has seen, would leave the integers.
  """
  return jax.tree.map(
      lambda x: jax.lax.pmean(x, AXIS) if jax.numpy.issubdtype(x.dtype, jax.numpy.inexact) else x,
      tree)


def hardware() -> str:
  """Returns what all hosts' devices are, '8 x TPU v5 lite'."""
  return f'{jax.device_count()} x {jax.devices()[0].device_kind}'


@functools.cache
def mesh() -> Mesh:
  """Returns the mesh of all devices of all hosts, with the axis 'data'."""
  return _mesh_of(jax.devices())


def replicate(tree: Any) -> Any:
  """Places host values on every device; needed before a step may take their memory over."""
  sharding = NamedSharding(mesh(), PartitionSpec())
  return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), tree)


def over_all_hosts(tree: Any, axes: Any) -> Any:
  """Returns a tree of mapped arrays as arrays over every device of every host, copying nothing.

  With several hosts pmap returns arrays over a host's own devices, which orbax does not save.

  Args:
    tree: what a mapped step returned.
    axes: a tree that begins like it: None for what is replicated, 0 for what is sharded.
  """
  if jax.process_count() == 1:
    return tree

  def of_all(axis, part):
    sharding = NamedSharding(mesh(), PartitionSpec() if axis is None else PartitionSpec(AXIS))
    shape = lambda x: x.shape if axis is None else (jax.device_count(), *x.shape[1:])
    return jax.tree.map(lambda x: jax.make_array_from_single_device_arrays(
        shape(x), sharding, [piece.data for piece in x.addressable_shards]), part)

  return jax.tree.map(of_all, axes, tree, is_leaf=lambda x: x is None)


def shardings(axes: Any, tree: Any) -> Any:
  """Returns a tree's shapes with the shardings over all hosts that `over_all_hosts` gives them."""
  def of_all(axis, part):
    sharding = NamedSharding(mesh(), PartitionSpec() if axis is None else PartitionSpec(AXIS))
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), part)

  return jax.tree.map(of_all, axes, tree, is_leaf=lambda x: x is None)


def for_backend(tree: Any, axes: Any, backend: str) -> Any:
  """Returns arrays over every device of every host as a backend's step takes them."""
  if jax.process_count() == 1 or backend != 'pmap':
    return tree

  def of_mine(axis, part):
    if axis is None:
      return part
    sharding = NamedSharding(_local_mesh(), PartitionSpec(AXIS))
    return jax.tree.map(lambda x: jax.make_array_from_single_device_arrays(
        (jax.local_device_count(), *x.shape[1:]), sharding,
        [piece.data for piece in x.addressable_shards]), part)

  return jax.tree.map(of_mine, axes, tree, is_leaf=lambda x: x is None)


def shard(tree: Any, backend: str) -> Any:
  """Places this host's rows on its devices.

  Args:
    tree: arrays [local_devices * B_device, ...] in the order of the devices.
    backend: of the step that takes them. Under pmap a host hands over its own devices' part, under
      shard_map its part of one array over all devices.

  Returns:
    Arrays [local_devices, B_device, ...] (pmap) or [devices, B_device, ...] (shard_map).
  """
  local = jax.local_device_count()
  if backend == 'pmap':
    sharding = NamedSharding(_local_mesh(), PartitionSpec(AXIS))
    place = functools.partial(jax.device_put, device=sharding)
  else:
    sharding = NamedSharding(mesh(), PartitionSpec(AXIS))
    place = functools.partial(jax.make_array_from_process_local_data, sharding)
  return jax.tree.map(lambda x: place(x.reshape((local, x.shape[0] // local) + x.shape[1:])), tree)


def local_rows(x: jax.Array) -> np.ndarray:
  """Returns this host's rows [local_devices * B_device, ...] of an array that `shard` placed."""
  pieces = sorted(x.addressable_shards, key=lambda piece: piece.index[0].start or 0)
  return np.concatenate([np.asarray(piece.data)[0] for piece in pieces])


@functools.cache
def _local_mesh() -> Mesh:
  return _mesh_of(jax.local_devices())


def _mesh_of(devices: Sequence[jax.Device]) -> Mesh:
  return Mesh(np.array(devices), (AXIS,))
