"""The TPUs that Cloud TPU's queued resources serve, v2 to v6e, with Google's published numbers.

Sources: docs.cloud.google.com/tpu/docs, the page of each version (peak, memory, links, hosts) and
"Runtimes"; the links of v2 and v3 from Jouppi et al. 2020, "A Domain-Specific Supercomputer for
Training Deep Neural Networks". This API does not serve newer chips; see docs/launching.md.

The clocks of v2 and v3 are those of Jouppi et al. 2020, of v4 of Jouppi et al. 2023; of later ones
it is taken at which whole matrix units of 128 x 128 (v6e: 256 x 256) reach the published peak. The
compiler's cycles of a large product agree with that peak to 16% (docs/performance.md).

The floor of an update is assumed, not measured: nothing of this project has run on a TPU. An
update that does nothing but one all-reduce takes 0.6 ms on v3-32 (jax issue 18224, by a
maintainer); a real one is a program of some hundreds of operations, at a few microseconds each.
launch.plan takes a measured one (--floor_ms).
"""

import dataclasses
import math

from nfnets_am.core import errors
from nfnets_am.core import registry


@dataclasses.dataclass(frozen=True)
class Chip:
  """One generation.

  Attributes:
    prefix: of its accelerator types, 'v5litepod' of 'v5litepod-16'.
    units: that a chip counts in such a type: 2 where cores are counted, 1 where chips are.
    devices: that JAX sees of a chip; from v4 on the cores of a chip are one device.
    tflops: published peak of a chip in bfloat16.
    gib: memory of a chip.
    memory_gbs: bandwidth of that memory, 10^9 bytes a second.
    link_gbs: of all links of a chip to others together, 10^9 bytes a second.
    host_chips: chips of a host in a slice of several hosts.
    one_host: most chips of a slice with one host.
    host_cpus: virtual CPUs of a host in a slice of several hosts.
    runtime: software version of its machines.
    topology: of one host, as libtpu names it.
    floor_ms: that an update takes however little it computes; assumed, see above.
    mhz: clock of a core; see above.
    sizes: units of the types there are; empty where any multiple of 8 is one.
  """

  prefix: str
  units: int
  devices: int
  tflops: float
  gib: float
  memory_gbs: float
  link_gbs: float
  host_chips: int
  one_host: int
  host_cpus: int
  runtime: str
  topology: str
  floor_ms: float
  mhz: float
  sizes: tuple[int, ...] = ()

  @property
  def device_gib(self) -> float:
    """Memory of what JAX calls a device."""
    return self.gib / self.devices

  @property
  def device_tflops(self) -> float:
    """Peak of what JAX calls a device."""
    return self.tflops / self.devices


CHIPS = registry.Registry('TPU generation', {
    'v2': Chip('v2', 2, 2, 45, 16, 700, 248, 4, 4, 96, 'tpu-ubuntu2204-base', 'v2:2x2x1', 2.0,
               700, (8, 32, 128, 256, 512)),
    'v3': Chip('v3', 2, 2, 123, 32, 900, 328, 4, 4, 96, 'tpu-ubuntu2204-base', 'v3:2x2x1', 2.0,
               940, (8, 32, 64, 128, 256, 512, 1024, 2048)),
    'v4': Chip('v4', 2, 1, 275, 32, 1228, 300, 4, 4, 240, 'tpu-ubuntu2204-base', 'v4:2x2x1',
               1.5, 1050),
    'v5litepod': Chip('v5litepod', 1, 1, 197, 16, 819, 200, 4, 8, 112, 'v2-alpha-tpuv5-lite',
                      'v5e:2x2x1', 1.5, 1500, (1, 4, 8, 16, 32, 64, 128, 256)),
    'v5p': Chip('v5p', 2, 1, 459, 95, 2765, 600, 4, 4, 208, 'v2-alpha-tpuv5', 'v5p:2x2x1',
                1.5, 1750),
    'v6e': Chip('v6e', 1, 1, 918, 32, 1640, 448, 4, 8, 180, 'v2-alpha-tpuv6e', 'v6e:2x2x1', 1.5,
                1750, (1, 4, 8, 16, 32, 64, 128, 256)),
})


@dataclasses.dataclass(frozen=True)
class Slice:
  """A number of chips of one generation.

  Attributes:
    name: the accelerator type, 'v6e-32'.
    chip: its generation.
    chips, devices, hosts: how many; a device is what JAX calls one.
    cores: that the price is for: TensorCores, of which v5litepod and v6e have one in a chip.
  """

  name: str
  chip: Chip
  chips: int
  devices: int
  hosts: int
  cores: int

  @property
  def host_cpus(self) -> float:
    """Virtual CPUs of a host; one with fewer chips than others has its share of them."""
    return self.chip.host_cpus * min(1.0, self.chips / self.chip.host_chips)


def parse(accelerator_type: str) -> Slice:
  """Reads an accelerator type such as 'v6e-32' or 'v5litepod-16'.

  Raises:
    ConfigError: no such generation or size.
  """
  if not accelerator_type:
    raise errors.ConfigError("no TPU is named; --tpu takes an accelerator type, such as 'v6e-32'")
  prefix, _, number = accelerator_type.partition('-')
  chip = CHIPS[{'v5e': 'v5litepod'}.get(prefix, prefix)]
  units = int(number) if number.isdigit() else 0
  if (units not in chip.sizes) if chip.sizes else (units < 8 or units % 8):
    allowed = ', '.join(map(str, chip.sizes)) or 'a multiple of 8'
    raise errors.ConfigError(
        f'there is no TPU {accelerator_type!r}; allowed: {chip.prefix}- and {allowed}')
  chips = units // chip.units
  hosts = 1 if chips <= chip.one_host else math.ceil(chips / chip.host_chips)
  return Slice(name=f'{chip.prefix}-{units}', chip=chip, chips=chips,
               devices=chips * chip.devices, hosts=hosts, cores=units)


def of_topology(topology: str) -> Chip:
  """Returns the generation of a topology such as 'v5e:2x2x1'.

  Raises:
    ConfigError: no such generation.
  """
  by_name = {chip.topology.partition(':')[0]: chip for chip in CHIPS.values()}
  found = by_name.get(topology.partition(':')[0])
  if found is None:
    raise errors.ConfigError(
        f'no such topology, {topology!r}; allowed: {", ".join(by_name)}, each with its shape in '
        "chips, as 'v5e:2x2x1'")
  return found


def of_one_host(chip: Chip) -> list[Slice]:
  """Returns the slices of a generation that one host has, the smallest first."""
  sizes = chip.sizes or (8,)
  found = (parse(f'{chip.prefix}-{size}') for size in sizes)
  return [tpu for tpu in found if tpu.hosts == 1]


def part_of(tpu: Slice, count: int) -> Slice:
  """Returns what a run has that has so many chips of one host of a slice to itself."""
  chip = tpu.chip
  return Slice(name=f'{count} of {tpu.chips} chips of {tpu.name}', chip=chip, chips=count,
               devices=count * chip.devices, hosts=1, cores=count * chip.units)
