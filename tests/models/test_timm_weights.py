"""Files in timm's layout: names and axes as timm has them, and files that lie."""

import json
import struct
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import pretrained
from nfnets_am.models import safetensors
from nfnets_am.models import timm_names
from nfnets_am.models import weights_files


def _write(path, tensors, *, spoil=lambda told: None, data=lambda data: data):
  """Writes a file by the format's description; `spoil` changes its header, `data` its bytes."""
  codes = {'float32': 'F32', 'float16': 'F16', 'float64': 'F64', 'int64': 'I64'}
  told, body = {'__metadata__': {'format': 'pt'}}, b''
  for name, array in tensors.items():
    stored = np.ascontiguousarray(array).tobytes()
    told[name] = {'dtype': codes[array.dtype.name], 'shape': list(array.shape),
                  'data_offsets': [len(body), len(body) + len(stored)]}
    body += stored
  spoil(told)
  header = json.dumps(told).encode()
  path.write_bytes(struct.pack('<Q', len(header)) + header + data(body))
  return path


_LEAVES = {'scale': 'weight', 'offset': 'bias', 'mean': 'running_mean', 'variance': 'running_var',
           'w': 'weight', 'b': 'bias'}


def _model(name, size=64, channels=3, classes=5, **kwargs):
  """Returns a model and the shapes of its parameters and averages."""
  model = models.create_model(name, classes, **kwargs)
  images = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  return model, params, state.averages


def _leaves(tree):
  return [(module, leaf, w) for module, weights in tree.items() for leaf, w in weights.items()]


def _in_torch(name, params, averages):
  """{timm's name: random float32 in torch's order of axes}, with what torch counts."""
  rng, found = np.random.default_rng(0), {}
  for module, leaf, w in _leaves(params) + _leaves(averages):
    order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[len(w.shape)]
    path = timm_names.FAMILIES[name](module.partition('/')[2])
    found[f'{path}.{_LEAVES[leaf]}'] = np.float32(rng.normal(size=[w.shape[i] for i in order]))
    if leaf == 'mean':
      found[f'{path}.num_batches_tracked'] = np.int64(7).reshape(())
  return found


# How many tensors timm 1.0 has, without what it counts, and the checksum of their sorted names.
@pytest.mark.parametrize('name, size, kwargs, count, checksum', [
    ('resnet18', 64, {}, 102, 4_082_350_223),
    ('resnet152', 64, {}, 777, 4_263_341_816),
    ('mobilenet_v2', 64, {}, 262, 270_648_207),
    ('inception_v3', 107, {'auxiliary': True}, 484, 3_252_696_953),
    ('nasnet_a_large', 97, {}, 1546, 1_416_954_112)])
def test_names_are_those_of_timm(name, size, kwargs, count, checksum):
  _, params, averages = _model(name, size, **kwargs)
  names = [f'{timm_names.FAMILIES[name](module.partition("/")[2])}.{_LEAVES[leaf]}'
           for module, leaf, _ in _leaves(params) + _leaves(averages)]
  assert len(set(names)) == len(names) == count
  assert zlib.crc32('\n'.join(sorted(names)).encode()) == checksum


@pytest.fixture(scope='module')
def narrow():
  _, params, averages = _model('mobilenet_v2', width=0.1)
  return params, averages, _in_torch('mobilenet_v2', params, averages)


def _fit(path, params, averages, name='mobilenet_v2'):
  init = lambda: _First((jax.tree.map(lambda w: jnp.zeros(w.shape, w.dtype), params),
                         jax.tree.map(lambda w: jnp.zeros(w.shape, w.dtype), averages)))
  found = weights_files.read(path)(name, init)
  pretrained.check(*found, params, averages, source=str(path))
  return found


class _First(tuple):
  """The first state of a model, as far as it is read."""
  params = property(lambda self: self[0])
  averages = property(lambda self: self[1])


jax.tree_util.register_pytree_node(_First, lambda t: (tuple(t), None), lambda _, t: _First(t))


def test_axes_are_ours_and_statistics_come_along(tmp_path, narrow):
  params, averages, tensors = narrow
  # The name of a file does not matter.
  for name in ('weights.safetensors', 'weights.bin'):
    found = _fit(_write(tmp_path / name, tensors), params, averages)
  kernel = tensors['blocks.1.0.conv_dw.weight']
  np.testing.assert_array_equal(found[0]['mobilenet_v2/stage1_block0/depthwise/conv']['w'][0, 2, 0],
                                kernel[:, 0, 0, 2])
  stem, linear = tensors['conv_stem.weight'], tensors['classifier.weight']
  np.testing.assert_array_equal(found[0]['mobilenet_v2/stem/conv']['w'][1, 2, 0], stem[:, 0, 1, 2])
  np.testing.assert_array_equal(found[0]['mobilenet_v2/linear']['w'], linear.T)
  assert found[1]['mobilenet_v2/last/norm']['variance'].sum() == (
      tensors['bn2.running_var'].sum())
  assert found[0]['mobilenet_v2/last/norm']['offset'].sum() == tensors['bn2.bias'].sum()


def test_other_dtypes_are_read_as_float32(tmp_path, narrow):
  params, averages, tensors = narrow
  half = {key: value.astype(np.float16) if value.dtype == np.float32 else value
          for key, value in tensors.items()}
  found, _ = _fit(_write(tmp_path / 'half.safetensors', half), params, averages)
  assert found['mobilenet_v2/linear']['b'].dtype == np.float32
  np.testing.assert_array_equal(found['mobilenet_v2/linear']['b'], half['classifier.bias'])

  def as_bfloat16(told):
    told['x']['dtype'] = 'BF16'

  # 1.5 is 0x3fc00000 in float32.
  path = _write(tmp_path / 'b.safetensors', {'x': np.frombuffer(b'\xc0\x3f', np.float16)},
                spoil=as_bfloat16)
  assert safetensors.read(path)['x'] == 1.5


def test_norms_of_second_moments_start_from_variances(tmp_path, narrow):
  params, averages, tensors = narrow
  averages = {module: {'mean': leaves['mean'], 'squares': leaves['variance']}
              for module, leaves in averages.items()}
  _, found = _fit(_write(tmp_path / 'w.safetensors', tensors), params, averages)
  np.testing.assert_allclose(found['mobilenet_v2/last/norm']['squares'],
                             tensors['bn2.running_var'] + tensors['bn2.running_mean'] ** 2)


def test_a_file_of_other_classes_starts_a_new_head(tmp_path, narrow):
  params, averages, tensors = narrow
  model, fresh, _ = _model('mobilenet_v2', classes=3, width=0.1)
  init = lambda: _First((fresh, averages))
  stored = weights_files.read(_write(tmp_path / 'w.safetensors', tensors))(
      'mobilenet_v2', lambda: jax.tree.map(lambda w: jnp.zeros(w.shape), init()))
  with pytest.raises(errors.UserError, match='2 of another shape'):
    pretrained.check(*stored, fresh, averages)
  assert stored[0][model.head]['w'].shape[1] == 5
  assert stored[0][model.head]['w'].shape[0] == fresh[model.head]['w'].shape[0]


def _no_tensor(told):
  told['classifier.bias'] = 'gone'


def _longer(told):
  told['classifier.bias']['shape'] = [6]


def _overlapping(told):
  told['classifier.bias']['data_offsets'] = [0, 20]


def _other_dtype(told):
  told['classifier.bias'].update(dtype='U8', shape=[20])


@pytest.mark.parametrize('spoil, words', [
    (_no_tensor, 'its header is no table of tensors'),
    (_longer, 'more or fewer bytes than its shape and dtype need'),
    (_overlapping, 'does not begin where the tensor before it ends'),
    (_other_dtype, "'classifier.bias' is of dtype 'U8'; allowed: F64")])
def test_a_header_that_lies_is_one_sentence(tmp_path, narrow, spoil, words):
  with pytest.raises(errors.UserError, match=words):
    _fit(_write(tmp_path / 'w.safetensors', narrow[2], spoil=spoil), *narrow[:2])


@pytest.mark.parametrize('of, words', [
    (lambda whole: whole[:-4], 'more or fewer bytes of tensors than its header says'),
    (lambda whole: whole[:60], 'cut off in its header'),
    (lambda whole: whole + b'more', 'more or fewer bytes of tensors than its header says'),
    (lambda whole: b'', 'no safetensors file'),
    (lambda whole: b"\x80\x04cos\nsystem\n(S'exit 3'\ntR.", 'no safetensors file'),
    (lambda whole: struct.pack('<Q', 2) + b'[]', 'no table of tensors'),
    (lambda whole: struct.pack('<Q', 40) + b'{"a":1,"a":2}'.ljust(40), 'no table of tensors'),
    (lambda whole: struct.pack('<Q', 90000) + b'[' * 90000, 'no table of tensors'),
    (lambda whole: struct.pack('<Q', 2 ** 63) + b'{}', 'cut off in its header')])
def test_other_bytes_are_one_sentence(tmp_path, narrow, of, words):
  path = _write(tmp_path / 'w.safetensors', narrow[2])
  path.write_bytes(of(path.read_bytes()))
  with pytest.raises(errors.UserError, match=words) as e:
    weights_files.read(path)
  assert '\n' not in str(e.value) and str(path) in str(e.value)


def test_what_a_model_lacks_or_a_file_is_named(tmp_path, narrow):
  params, averages, tensors = narrow
  left = {key: value for key, value in tensors.items() if key != 'bn2.running_mean'}
  for changed, words in ((left, r'1 missing or of other axes \(bn2.running_mean\)'),
                         ({**tensors, 'bn3.weight': np.float32([1])}, r'1 extra \(bn3.weight\)')):
    with pytest.raises(errors.UserError, match=words):
      _fit(_write(tmp_path / 'w.safetensors', changed), params, averages)
  wrong = {**tensors, 'bn2.bias': np.float32([1])}
  with pytest.raises(errors.UserError, match=r'1 of another shape .*last/norm/offset \(1,\)'):
    _fit(_write(tmp_path / 'w.safetensors', wrong), params, averages)
  with pytest.raises(errors.UserError, match="model 'resnet_tiny' cannot be read; allowed"):
    _fit(tmp_path / 'w.safetensors', params, averages, 'resnet_tiny')
  with pytest.raises(errors.UserError, match='No such file'):
    weights_files.read(tmp_path / 'none.safetensors')


def test_the_auxiliary_head_of_a_file_is_left_where_a_model_has_none(tmp_path):
  _, params, averages = _model('inception_v3', 107, width=0.01)
  tensors = _in_torch('inception_v3', params, averages)
  assert any(key.startswith('AuxLogits.fc') for key in tensors)
  path = _write(tmp_path / 'w.safetensors', tensors)
  without = [{key: value for key, value in tree.items() if '/auxiliary' not in key}
             for tree in (params, averages)]
  found, _ = _fit(path, *without, 'inception_v3')
  assert found.keys() == without[0].keys()
