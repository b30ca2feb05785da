"""What the text of a compiled program says that XLA's cost analysis does not.

From v5e on a TPU's core has room for whole arrays: the compiler copies them there before they are
read, or leaves them there. XLA's 'bytes accessed' counts what is read there as if it were read from
the main memory, and each such copy about four times.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import math
import re
from typing import NamedTuple

# A shape: 'f32[3,3,16]', and how it lies, '{2,1,0:T(8,128)S(1)}'; S(1) is the core's own memory.
_SHAPE = re.compile(r'\b(pred|[a-z]+[0-9]+)\[([0-9,]*)\](\{[^}]*\})?')
_ELSEWHERE = re.compile(r'S\([1-9]')
_OPCODE = re.compile(r'(?:^| )([a-z][\w\-]*)\(')
_NAME = re.compile(r'%([\w.\-]+)')
_CYCLES = re.compile(r'"estimated_cycles":"?([0-9]+)')
# Computations that an instruction names as part of it.
_INSIDE = re.compile(r'(?:calls|to_apply)=%?([\w.\-]+)')
# Another name for the same bytes, or what others do.
_MOVES_NOTHING = ('parameter', 'constant', 'tuple', 'get-tuple-element', 'bitcast', 'after-all',
                  'opt-barrier', 'custom-call', 'while', 'conditional', 'call')


class Instruction(NamedTuple):
  """One of a program's.

  Attributes:
    opcode: 'fusion'.
    result: text of its shape, or of a tuple of shapes.
    operands: names.
    cycles: the compiler's estimate, 0 where it has none.
  """
  opcode: str
  result: str
  operands: tuple[str, ...]
  cycles: int


Program = Mapping[str, Instruction]


def executed(hlo: str) -> Program:
  """Returns name -> instruction of all that are executed as such, and not inside of another.

  Args:
    hlo: a program's text, `compiled.as_text()`.
  """
  found = list(_instructions(hlo))
  inside = {name for *_, instruction, names in found if instruction.opcode != 'call'
            for name in names}
  return {name: instruction for computation, name, instruction, _ in found
          if computation not in inside}


def all_reduced_bytes(program: Program) -> int:
  """Returns the bytes of the results of all all-reduces."""
  return sum(_bytes(found.result) for found in program.values()
             if found.opcode in ('all-reduce', 'all-reduce-start'))


def main_memory_bytes(program: Program) -> int:
  """Returns the bytes that instructions read from the main memory and write to it.

  Each operand and result counts once, if it lies there; what is copied between the memories counts
  once. The body of a loop counts once.
  """
  total = 0
  for found in program.values():
    if found.opcode.endswith('-done'):
      total += _bytes(found.result)
    elif found.opcode not in _MOVES_NOTHING and not found.opcode.endswith('-start'):
      shapes = [found.result, *(program[x].result for x in found.operands if x in program)]
      total += sum(_bytes(shape, main=True) for shape in shapes)
  return total


def cycles(program: Program) -> int:
  """Returns the compiler's estimates of a core's cycles, summed."""
  return sum(found.cycles for found in program.values())


def unknown_costs(program: Program) -> int:
  """Returns how many instructions XLA's cost analysis does not know: custom calls.

  For each it adds -1 to a program's seconds.
  """
  return sum(found.opcode == 'custom-call' for found in program.values())


def _instructions(hlo: str) -> Iterator[tuple[str, str, Instruction, list[str]]]:
  """Yields computation, name, instruction, and the computations that are part of it."""
  computation = ''
  for line in hlo.splitlines():
    if line and not line[0].isspace():
      head = line.removeprefix('ENTRY ').removeprefix('%')
      computation = re.split(r'[ (]', head, maxsplit=1)[0]
      continue
    head, found, rest = line.strip().removeprefix('ROOT ').partition(' = ')
    opcode = found and _OPCODE.search(rest)
    if opcode:
      operands = rest[opcode.end():].partition(')')[0]
      cycles_ = _CYCLES.search(rest)
      yield computation, head.removeprefix('%'), Instruction(
          opcode[1], rest[:opcode.start()], tuple(_NAME.findall(operands)),
          int(cycles_[1]) if cycles_ else 0), _INSIDE.findall(rest)


def _bytes(shapes: str, main: bool = False) -> int:
  """Returns the bytes of all shapes in a text; with `main` of those in the main memory."""
  return sum(
      math.prod(int(n) for n in sizes.split(',') if n) * int(re.sub('[a-z]', '', kind) or 8) // 8
      for kind, sizes, lies in _SHAPE.findall(shapes)
      if not (main and _ELSEWHERE.search(lies)))
