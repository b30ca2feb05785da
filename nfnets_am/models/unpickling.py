"""Reads a pickle of arrays without running anything that it says, in memory like its file's size.

A pickle is a program for a machine with a stack: it may name any function for its reader to call,
copy what it has made until nothing is left, and ask for memory that no byte of it fills. Here a
machine of our own knows the few instructions that dicts of arrays need. What may be called stands
for records, which are checked before numpy sees them. Anything else is refused by its name.
"""

from collections.abc import Callable
import pickle
import pickletools
from typing import Any
from typing import BinaryIO

from nfnets_am.models import bounded
from nfnets_am.models import stored_arrays

# An instruction may make an object of some 100 bytes. The largest NFNet takes 40,000 of them.
_MOST_INSTRUCTIONS = 1_000_000


def read(f: BinaryIO) -> Any:
  """Returns what a file holds, with records in the places of arrays; see stored_arrays.to_array.

  Every dict's keys are strings.

  Args:
    f: the file, at its beginning.

  Raises:
    Exception: nearly any: the bytes are damaged or ask for something else.
  """
  file = bounded.Bounded(f)
  machine = _Machine(file.size)
  for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
    if number == _MOST_INSTRUCTIONS:
      raise pickle.UnpicklingError(f'it has over {_MOST_INSTRUCTIONS} instructions')
    machine.step(opcode.name, argument)
  return machine.pop()


class _Machine:
  """A stack, the places of its marks, and a memo."""

  def __init__(self, size: int):
    """Makes it for a file of so many bytes."""
    # A file may make its only bytes again and again. Where each array has its own they are made
    # twice at most: of text, in protocols below 3, and as an array.
    self._size, self._left = size, 2 * size
    self._stack: list[Any] = []
    self._marks: list[int] = []
    self._memo: dict[int, Any] = {}

  def step(self, name: str, argument: Any) -> None:
    """Takes one instruction of pickletools' names."""
    if name in _CONSTANTS:
      self._stack.append(_CONSTANTS[name])
    elif name in _LITERALS:
      self._stack.append(argument)
    elif name in _STEPS:
      _STEPS[name](self, argument)
    elif name in ('PERSID', 'BINPERSID'):
      raise pickle.UnpicklingError('it holds a persistent id')
    elif name not in _NOTHING:
      raise pickle.UnpicklingError(f'it holds the instruction {name}, which arrays do not need')

  def pop(self) -> Any:
    """Takes the top of the stack, above the last mark."""
    if len(self._stack) <= (self._marks[-1] if self._marks else 0):
      raise pickle.UnpicklingError('its stack is empty')
    return self._stack.pop()

  def mark(self, _: Any) -> None:
    self._marks.append(len(self._stack))

  def make(self, kind: Callable[[list[Any]], Any], count: int | None = None) -> None:
    self._stack.append(kind(self._take(count)))

  def set_items(self, count: int | None = None) -> None:
    items = _dict(self._take(count))
    self._top(dict).update(items)

  def append(self, count: int | None = None) -> None:
    items = self._take(count)
    self._top(list).extend(items)

  def put(self, place: int | None) -> None:
    # By number and not by position: an absurd place costs as much as any.
    self._memo[len(self._memo) if place is None else place] = self._top(object)

  def get(self, place: int) -> None:
    if place not in self._memo:
      raise pickle.UnpicklingError(f'it asks its memo for {place}, which is not there')
    self._stack.append(self._memo[place])

  def name(self, names: str | None) -> None:
    # Module and name: in one argument with a space between, or on the stack.
    module, name = names.split(' ', 1) if names is not None else self._take(2)
    self._stack.append(stored_arrays.find(module, name))

  def call(self, _: Any) -> None:
    function, arguments = self._take(2)
    if not isinstance(arguments, tuple) or not isinstance(function, type):
      raise pickle.UnpicklingError('it calls what cannot be called')
    made = function(*arguments)
    self._count(made)
    self._stack.append(made)

  def build(self, _: Any) -> None:
    state = self.pop()
    record = self._top(stored_arrays.Record)
    record.set_state(state)
    self._count(record)

  def _count(self, made: Any) -> None:
    self._left -= stored_arrays.size_of(made)
    if self._left < 0:
      raise pickle.UnpicklingError(f'it makes arrays of more than its {self._size} bytes')

  def _top(self, kind: type) -> Any:
    top = self.pop()
    self._stack.append(top)
    if not isinstance(top, kind):
      raise pickle.UnpicklingError(
          f'it takes a {type(top).__name__} for a {kind.__name__.lower()}')
    return top

  def _take(self, count: int | None) -> list[Any]:
    """Takes so many things off the stack, or all above the last mark, and the mark."""
    if count is None:
      if not self._marks:
        raise pickle.UnpicklingError('a mark is missing on its stack')
      count = len(self._stack) - self._marks.pop()
    return [self.pop() for _ in range(count)][::-1]


def _dict(items: list[Any]) -> dict[str, Any]:
  """Returns a dict of keys and values in turn."""
  keys, values = items[::2], items[1::2]
  for key in keys:
    # A tuple may take longer than all time to hash.
    if not isinstance(key, str):
      raise pickle.UnpicklingError(f'it holds a key that is a {type(key).__name__}')
  return dict(zip(keys, values, strict=True))


_NOTHING = ('PROTO', 'FRAME', 'STOP')
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
# pickletools reads what follows them.
_LITERALS = (
    'INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT', 'STRING',
    'BINSTRING', 'SHORT_BINSTRING', 'UNICODE', 'SHORT_BINUNICODE', 'BINUNICODE', 'BINUNICODE8',
    'SHORT_BINBYTES', 'BINBYTES', 'BINBYTES8', 'BYTEARRAY8')
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    'MARK': _Machine.mark,
    'EMPTY_DICT': lambda m, _: m.make(_dict, 0),
    'DICT': lambda m, _: m.make(_dict),
    'SETITEM': lambda m, _: m.set_items(2),
    'SETITEMS': lambda m, _: m.set_items(),
    'EMPTY_LIST': lambda m, _: m.make(list, 0),
    'LIST': lambda m, _: m.make(list),
    'APPEND': lambda m, _: m.append(1),
    'APPENDS': lambda m, _: m.append(),
    'EMPTY_TUPLE': lambda m, _: m.make(tuple, 0),
    'TUPLE1': lambda m, _: m.make(tuple, 1),
    'TUPLE2': lambda m, _: m.make(tuple, 2),
    'TUPLE3': lambda m, _: m.make(tuple, 3),
    'TUPLE': lambda m, _: m.make(tuple),
    'MEMOIZE': _Machine.put, 'PUT': _Machine.put, 'BINPUT': _Machine.put,
    'LONG_BINPUT': _Machine.put,
    'GET': _Machine.get, 'BINGET': _Machine.get, 'LONG_BINGET': _Machine.get,
    'GLOBAL': _Machine.name, 'STACK_GLOBAL': _Machine.name,
    'REDUCE': _Machine.call, 'NEWOBJ': _Machine.call,
    'BUILD': _Machine.build,
}
