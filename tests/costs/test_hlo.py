"""A program's text by hand: what is moved, all-reduced, estimated and unknown."""

import pytest

from nfnets_am.costs import hlo

# As a v5e's is printed, shortened. The copy brings b into the core's own memory, the fusion leaves
# its result there, the slices bring halves of c, and the custom call joins their names.
_TEXT = """HloModule jit_f, is_scheduled=true

%fused_computation (x: bf16[8,128]) -> bf16[8,128] {
  %x = bf16[8,128]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %twice = bf16[8,128]{1,0:T(8,128)(2,1)} add(%x, %x)
}

ENTRY %main.3 (a: bf16[8,128], b: f32[4,128], c: f32[2,64]) -> (bf16[8,128], f32[]) {
  %a = bf16[8,128]{1,0:T(8,128)(2,1)} parameter(0)
  %b = f32[4,128]{1,0:T(4,128)} parameter(1)
  %copy-start = (f32[4,128]{1,0:S(1)}, f32[4,128]{1,0:T(4,128)}, u32[]) copy-start(%b)
  %copy-done = f32[4,128]{1,0:T(4,128)S(1)} copy-done(%copy-start)
  %c = f32[2,64]{1,0:T(2,128)} parameter(2)
  %half = ((f32[2,64]{1,0}), f32[1,64]{1,0:S(1)}, s32[]{:S(2)}) slice-start(%c), slice={[0:1]}
  %half.1 = ((f32[2,64]{1,0}), f32[1,64]{1,0:S(1)}, s32[]{:S(2)}) slice-start(%c), slice={[1:2]}
  %slice-done = f32[1,64]{1,0:S(1)} slice-done(%half)
  %slice-done.1 = f32[1,64]{1,0:S(1)} slice-done(%half.1)
  %custom-call = f32[2,64]{1,0:S(1)} custom-call(%slice-done, %slice-done.1)
  %f = (bf16[8,128]{1,0:S(1)}, pred[3]) fusion(%a, %copy-done, /*index=2*/%custom-call), CALLS
  %first = bf16[8,128]{1,0:T(8,128)(2,1)S(1)} get-tuple-element(%f), index=0
  %copy = bf16[8,128]{0,1:T(8,128)(2,1)} copy(%first), backend_config={"estimated_cycles":"50"}
  %all-reduce = (f32[3,3,16]{2,1,0}, bf16[8]{0}) all-reduce(%copy), channel_id=1, to_apply=%add
  %all-reduce-start = f32[]{:T(128)} all-reduce-start(%copy), channel_id=2, to_apply=%add
  ROOT %tuple = (bf16[8,128]{0,1}, f32[]) tuple(%copy, %all-reduce-start)
}
""".replace('CALLS', 'calls=%fused_computation, backend_config={"estimated_cycles":"700"}')


@pytest.fixture(name='program', scope='module')
def _program():
  return hlo.executed(_TEXT)


def test_only_what_is_executed_as_such_is_read(program):
  assert 'f' in program and 'twice' not in program


def test_bytes_of_the_main_memory(program):
  a, b, c = 8 * 128 * 2, 4 * 128 * 4, 2 * 64 * 4
  reduced = 3 * 3 * 16 * 4 + 8 * 2
  # The copy once, each half of c once; a and the three truth values of the fusion; what the copy
  # writes; what the all-reduce reads and writes.
  assert hlo.main_memory_bytes(program) == b + c + (a + 3) + a + (a + reduced)


def test_all_reduced_bytes(program):
  assert hlo.all_reduced_bytes(program) == 3 * 3 * 16 * 4 + 8 * 2 + 4


def test_cycles_and_what_has_no_cost(program):
  assert hlo.cycles(program) == 750
  assert hlo.unknown_costs(program) == 1
