"""Weights files: what is read back, what is refused, and that nothing in a file is run."""

import collections
import os
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import pretrained
from nfnets_am.models import stored_arrays


def _params(scale=1.0):
  rng = np.random.default_rng(0)
  draw = lambda *shape: np.asarray(scale * rng.normal(size=shape), np.float32)
  return {
      'NFNet/~/nf_block': {'skip_gain': draw()},
      'NFNet/~/nf_block/~/conv0': {'w': draw(1, 1, 4, 6), 'gain': draw(6), 'bias': draw(6)},
      'NFNet/~/nf_block/~/squeeze_excite/~/linear': {'w': draw(6, 3), 'b': draw(3)},
      'NFNet/~/linear': {'w': draw(6, 5), 'b': draw(5)},
  }


def _assert_same(a, b):
  assert {m: set(w) for m, w in a.items()} == {m: set(w) for m, w in b.items()}
  for module, weights in a.items():
    for name, w in weights.items():
      np.testing.assert_array_equal(np.asarray(b[module][name]), np.asarray(w))


def _write(path, value, protocol=4):
  path.write_bytes(pickle.dumps(value, protocol))
  return path


def test_what_is_exported_is_read_by_us_and_by_plain_pickle(tmp_path):
  params = jax.tree.map(jnp.asarray, _params())
  path = tmp_path / 'new' / 'weights.npz'
  pretrained.export(params, {}, path)
  for found in (pretrained.load(path)[0], pickle.loads(path.read_bytes())):
    _assert_same(params, found)
    for w in jax.tree.leaves(found):
      assert type(w) is np.ndarray and w.dtype == np.float32 and w.flags.writeable
  assert type(pickle.loads(path.read_bytes())) is dict
  assert [p.name for p in path.parent.iterdir()] == ['weights.npz']
  # numpy 1 has no numpy._core, numpy 2 may lose numpy.core.
  assert b'core' not in path.read_bytes()


def test_a_failed_export_leaves_the_old_file(tmp_path):
  path = tmp_path / 'weights.npz'
  pretrained.export(_params(), {}, path)
  with pytest.raises(ValueError):
    pretrained.export({'m': {'w': 'not an array'}}, {}, path)
  _assert_same(_params(), pretrained.load(path)[0])
  with pytest.raises(errors.UserError, match='cannot be written'):
    pretrained.export(_params(), {}, path / 'below a file')


@pytest.mark.parametrize('protocol', range(6))
def test_every_protocol_order_and_width_of_floats_is_read(tmp_path, protocol):
  matrix = np.arange(6, dtype=np.float64).reshape(2, 3)
  stored = collections.OrderedDict(m=collections.OrderedDict(
      double=matrix, half=matrix.astype(np.float16), fortran=np.asfortranarray(matrix),
      swapped=matrix.astype('>f4'), strided=np.repeat(matrix, 2, axis=1)[:, ::2],
      none=np.zeros((0, 3)), array=np.array(2.5), scalar=np.float32(2.5)))
  found, _ = pretrained.load(_write(tmp_path / 'weights', stored, protocol))
  _assert_same(stored, found)
  assert all(w.dtype == np.float32 for w in found['m'].values())


class _Call:
  """Pickles as the call of a function, whose result then takes the state."""

  def __init__(self, function, args, *state):
    self.call = function, args, *state

  def __reduce__(self):
    return self.call


def _dill_stream(core: str, created: bool) -> bytes:
  """What dill writes for {'m': {'w': float32 [[0, 1], [2, 3]]}}, by opcodes."""
  reconstruct = (b'cdill._dill\n_get_attr\n(cdill._dill\n_import_module\n(X'
                 + _text(core) + b'tRX' + _text('_reconstruct') + b'tR')
  arguments = b'(cnumpy\nndarray\n(K\x00t' + b'C\x01bt'
  dtype = b'cnumpy\ndtype\n(X' + _text('f4') + b'\x89\x88tR(K\x03X' + _text('<') + b'NNNJ' + (
      b'\xff' * 4) + b'J' + b'\xff' * 4 + b'K\x00tb'
  data = np.arange(4, dtype='<f4').tobytes()
  state = b'(K\x01(K\x02K\x02t' + dtype + b'\x89C' + bytes([len(data)]) + data + b't'
  if created:
    array = b'cdill._dill\n_create_array\n(' + reconstruct + arguments + state + b'NtR'
  else:
    array = reconstruct + arguments + b'R' + state + b'b'
  return b'\x80\x03}X' + _text('m') + b'}X' + _text('w') + array + b'ss.'


def _text(text: str) -> bytes:
  return len(text).to_bytes(4, 'little') + text.encode()


@pytest.mark.parametrize('created', [False, True])
@pytest.mark.parametrize('core', ['numpy.core._multiarray_umath', 'numpy.core.multiarray',
                                  'numpy._core.multiarray'])
def test_the_calls_that_dill_writes_for_an_array_are_read(tmp_path, core, created):
  path = tmp_path / 'F0_haiku.npz'
  path.write_bytes(_dill_stream(core, created))
  _assert_same({'m': {'w': np.array([[0, 1], [2, 3]], np.float32)}}, pretrained.load(path)[0])


def test_dill_may_name_nothing_else(tmp_path):
  path = tmp_path / 'evil'
  path.write_bytes(_dill_stream('os', False).replace(b'\x0c\x00\x00\x00_reconstruct',
                                                     b'\x06\x00\x00\x00system'))
  with pytest.raises(errors.UserError, match=re.escape('asks for os.system')):
    pretrained.load(path)


@pytest.mark.parametrize('function, args, name', [
    (os.system, ('touch {trace}',), 'posix.system'),
    (eval, ('open({trace!r}, "w")',), 'builtins.eval'),
    (open, ('{trace}', 'w'), open.__module__ + '.open'),  # io or _io, by Python's version.
    (getattr, ('x', 'upper'), 'builtins.getattr'),
    (np.load, ('{trace}',), 'numpy.load'),
    (np.fromfile, ('{trace}',), 'numpy'),
])
@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_a_function_in_a_file_is_named_and_not_run(tmp_path, function, args, name, protocol):
  trace = tmp_path / 'trace'
  args = tuple(a.format(trace=str(trace)) for a in args)
  path = _write(tmp_path / 'evil', {'m': {'w': _Call(function, args)}}, protocol)
  with pytest.raises(errors.UserError) as e:
    pretrained.load(path)
  if protocol > 2 or name.startswith(('posix', 'numpy')):
    assert f'asks for {name}' in str(e.value)
  assert 'asks for' in str(e.value) and str(path) in str(e.value)
  assert not trace.exists()


def test_plain_pickle_would_have_run_it(tmp_path):
  trace = tmp_path / 'trace'
  pickle.loads(pickle.dumps({'m': {'w': _Call(os.system, (f'touch {trace}',))}}))
  assert trace.exists()


@pytest.mark.parametrize('target', [
    b'cnumpy\nndarray\n', b'cnumpy\ndtype\n', b'ccollections\nOrderedDict\n', b'c_codecs\nencode\n',
    b'cnumpy.core.multiarray\n_reconstruct\n', b'cnumpy.core.multiarray\nscalar\n',
    b'cdill._dill\n_get_attr\n', b'cdill._dill\n_import_module\n', b'cdill._dill\n_create_array\n'])
def test_a_file_cannot_change_what_its_names_stand_for(tmp_path, target):
  before = {key: dict(vars(value)) for key, value in stored_arrays.GLOBALS.items()}
  path = tmp_path / 'evil'
  # BUILD on the name itself, with a dict of attributes and with slots.
  for state in (b'}U\x05partsU\x01xs', b'(N}U\x05partsU\x01xst'):
    path.write_bytes(b'\x80\x02' + target + state + b'b.')
    with pytest.raises(errors.UserError):
      pretrained.load(path)
  assert before == {key: dict(vars(value)) for key, value in stored_arrays.GLOBALS.items()}


class _PersistentPickler(pickle.Pickler):

  def persistent_id(self, obj):
    return 'elsewhere' if isinstance(obj, np.ndarray) else None


def test_a_persistent_id_is_refused(tmp_path):
  with open(tmp_path / 'weights', 'wb') as f:
    _PersistentPickler(f).dump(_params())
  with pytest.raises(errors.UserError, match='persistent'):
    pretrained.load(tmp_path / 'weights')


@pytest.mark.parametrize('array, found', [
    (np.array([{}, None], object), "dtype 'O8'"),
    (np.arange(3), "dtype 'i8'"),
    (np.array(['a']), "dtype 'U1'"),
    (np.zeros(2, [('a', 'f4')]), "dtype 'V4'"),
    ([1.0, 2.0], 'a list'),
    (1.0, 'a float'),
    ({'w': np.zeros(2)}, 'a dict'),
])
def test_what_is_no_array_of_floats_is_named(tmp_path, array, found):
  path = _write(tmp_path / 'weights', {'m': {'w': np.zeros(2), 'x': array}})
  with pytest.raises(errors.UserError, match=re.escape(found)) as e:
    pretrained.load(path)
  assert 'm/x' in str(e.value)


def test_an_array_with_too_few_bytes_is_named(tmp_path):
  short = _Call(np.ndarray, ((0,),), (1, (2, 3), np.dtype('f4'), False, b'1234'))
  path = _write(tmp_path / 'weights', {'m': {'w': short}})
  with pytest.raises(errors.UserError, match=re.escape('shape (2, 3)')):
    pretrained.load(path)


@pytest.mark.parametrize('value', [
    [1], {}, None, {'m': np.zeros(2, np.float32)}, {'m': {}}])
def test_another_structure_is_refused(tmp_path, value):
  with pytest.raises(errors.UserError, match='does not hold modules'):
    pretrained.load(_write(tmp_path / 'weights', value))


@pytest.mark.parametrize('value', [{1: {'w': np.zeros(2)}}, {'m': {2: np.zeros(2)}}])
def test_a_key_that_is_no_name_is_refused(tmp_path, value):
  with pytest.raises(errors.UserError, match='a key that is a int'):
    pretrained.load(_write(tmp_path / 'weights', value))


def test_damaged_files_are_one_sentence(tmp_path):
  path = tmp_path / 'weights'
  pretrained.export(_params(), {}, path)
  whole = path.read_bytes()
  for size in range(0, len(whole), 7):
    path.write_bytes(whole[:size])
    with pytest.raises(errors.UserError, match='cannot be read') as e:
      pretrained.load(path)
    assert '\n' not in str(e.value)
  for other in ('missing', '.'):
    with pytest.raises(errors.UserError, match='cannot be read'):
      pretrained.load(tmp_path / other)


def test_any_damaged_byte_is_an_error_of_ours_or_another_number(tmp_path):
  path = tmp_path / 'weights'
  pretrained.export({'m': {'w': np.ones((2, 2)), 'gain': np.ones(())}}, {}, path)
  whole = bytearray(path.read_bytes())
  draw = np.random.default_rng(0)
  for position in range(len(whole)):
    damaged = bytearray(whole)
    damaged[position] = draw.integers(256)
    path.write_bytes(damaged)
    try:
      found, _ = pretrained.load(path)
    except errors.UserError:
      continue
    assert all(w.dtype == np.float32 for w in jax.tree.leaves(found))


def test_check_counts_and_names_what_differs():
  params, expected = _params(), _params()
  pretrained.check(params, {}, expected, {})
  del params['NFNet/~/nf_block']
  params['NFNet/~/nf_block/~/conv0']['w'] = np.zeros((3, 3, 4, 6), np.float32)
  params['other'] = {f'w{i}': np.zeros(2) for i in range(5)}
  with pytest.raises(errors.UserError) as e:
    pretrained.check(params, {}, expected, {}, source='mine.npz')
  assert str(e.value) == (
      'mine.npz does not fit the model of 8 entries: '
      '1 missing (NFNet/~/nf_block/skip_gain); '
      '5 extra (other/w0, other/w1, other/w2, ...); '
      '1 of another shape (NFNet/~/nf_block/~/conv0/w (3, 3, 4, 6) instead of (1, 1, 4, 6))')


def test_adapt_takes_a_new_final_linear_for_other_classes_and_nothing_else():
  params, fresh = _params(), _params(scale=2.0)
  adapt = lambda: pretrained.adapt(params, {}, fresh, {}, heads=('NFNet/~/linear',))[0]
  _assert_same(params, adapt())
  fresh['NFNet/~/linear'] = {'w': np.ones((6, 7), np.float32), 'b': np.ones(7, np.float32)}
  adapted = adapt()
  _assert_same({**params, 'NFNet/~/linear': fresh['NFNet/~/linear']}, adapted)
  assert params['NFNet/~/linear']['w'].shape == (6, 5)


@pytest.mark.parametrize('module, shapes', [
    # Another width before the linear, and another squeeze-and-excite: another model.
    ('NFNet/~/linear', {'w': (8, 7), 'b': (7,)}),
    ('NFNet/~/linear', {'w': (6, 7)}),
    ('NFNet/~/nf_block/~/squeeze_excite/~/linear', {'w': (6, 4), 'b': (4,)}),
])
def test_adapt_refuses_another_model(module, shapes):
  fresh = {**_params(), module: {name: np.zeros(shape) for name, shape in shapes.items()}}
  with pytest.raises(errors.UserError, match=f'{module}/'):
    pretrained.adapt(_params(), {}, fresh, {}, heads=('NFNet/~/linear',))


@pytest.mark.parametrize('name', ['nfnet_tiny', 'nfnet_f0', 'nf_resnet50', 'wide_resnet'])
def test_every_family_can_be_fine_tuned_to_other_classes(name):
  def shapes(classes):
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    return jax.eval_shape(models.create_model(name, classes).init, jax.random.key(0), images)[0]

  published, fresh = shapes(1000), shapes(10)
  head = models.create_model(name, 10).head
  adapted, _ = pretrained.adapt(published, {}, fresh, {}, heads=(head,))
  (final,) = [module for module in fresh if adapted[module] is fresh[module]]
  assert final == head
  assert fresh[final]['b'].shape == (10,) and published[final]['b'].shape == (1000,)
  with pytest.raises(errors.UserError, match='2 of another shape'):
    pretrained.check(published, {}, fresh, {})
