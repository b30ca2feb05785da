"""The one seam between per-device code and many devices on many hosts.

A step is written for one device, with the axis name 'data' for its collectives. Here it is mapped
over all devices, by `jax.pmap` or by `jax.shard_map`; both give the same update. The state is
replicated without a leading device axis, so that nothing outside this file indexes `[0]`.
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


def _pmap(step: Callable[..., Any], replicated: int, donate: tuple[int, ...],
          devices: Sequence[jax.Device] | None) -> Callable[..., Any]:
  return jax.pmap(step, axis_name=AXIS, in_axes=(None,) * replicated + (0,), out_axes=None,
                  donate_argnums=donate, devices=devices)


def _shard_map(step: Callable[..., Any], replicated: int, donate: tuple[int, ...],
               devices: Sequence[jax.Device] | None) -> Callable[..., Any]:
  def on_device(*args):
    return step(*args[:-1], jax.tree.map(lambda x: x[0], args[-1]))

  # check_vma=True would insert a sum of its own behind the step's mean: with D devices the gradient
  # would be D times too large, without a word.
  mapped = jax.shard_map(
      on_device, mesh=_mesh_of(devices) if devices else mesh(),
      in_specs=(PartitionSpec(),) * replicated + (PartitionSpec(AXIS),),
      out_specs=PartitionSpec(), check_vma=False)
  return jax.jit(mapped, donate_argnums=donate)


BACKENDS = registry.Registry('backend', {'pmap': _pmap, 'shard_map': _shard_map})


def map_step(
    step: Callable[..., Any], backend: str, *, replicated: int, donate: tuple[int, ...] = (),
    devices: Sequence[jax.Device] | None = None,
) -> Callable[..., Any]:
  """Maps per-device code over all devices.

  Args:
    step: takes `replicated` arguments that are the same on all devices, then a batch of which each
      device has its own rows; its results must be the same on all devices (averaged over 'data').
    backend: 'pmap' or 'shard_map'.
    replicated: how many arguments stand before the batch; placed by `replicate`.
    donate: arguments whose memory the results may take.
    devices: all devices of all hosts by default; others only to compile for a described topology.

  Returns:
    The same function of placed arguments; the batch is one that `shard` placed.
  """
  return BACKENDS[backend](step, replicated, donate, devices)


@functools.cache
def mesh() -> Mesh:
  """Returns the mesh of all devices of all hosts, with the axis 'data'."""
  return _mesh_of(jax.devices())


def replicate(tree: Any) -> Any:
  """Places host values on every device; needed before a step may take their memory over."""
  sharding = NamedSharding(mesh(), PartitionSpec())
  return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), tree)


def over_all_hosts(tree: Any) -> Any:
  """Returns a replicated tree as arrays over every device of every host, copying nothing.

  With several hosts pmap returns arrays over a host's own devices, which orbax does not save.
  """
  if jax.process_count() == 1:
    return tree
  sharding = NamedSharding(mesh(), PartitionSpec())
  return jax.tree.map(
      lambda x: jax.make_array_from_single_device_arrays(
          x.shape, sharding, [part.data for part in x.addressable_shards]), tree)


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


@functools.cache
def _local_mesh() -> Mesh:
  return _mesh_of(jax.local_devices())


def _mesh_of(devices: Sequence[jax.Device]) -> Mesh:
  return Mesh(np.array(devices), (AXIS,))
