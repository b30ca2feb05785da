"""The language of augmentations: Python's syntax, never run."""

import pytest

from nfnets_am.core import calls as calls_lib
from nfnets_am.core import errors
from nfnets_am.data import ops


def test_reads_calls_in_order_with_their_arguments():
  text = " pad_crop(pad=2, mode='reflect') | flip()\n | normalise() | cutout(length=4) "
  assert calls_lib.calls(text) == [
      ('pad_crop', {'pad': 2, 'mode': 'reflect'}), ('flip', {}), ('normalise', {}),
      ('cutout', {'length': 4})]


def test_builds_the_ops():
  augmentation = ops.parse("pad_crop(pad=2, mode='reflect') | flip() | flip() | normalise()")
  assert augmentation.ops == {
      'pad_crop': ops.PadCrop(pad=2, mode='reflect'), 'flip': ops.Flip(), 'flip_2': ops.Flip(),
      'normalise': ops.Normalise()}


def test_arguments_may_stand_without_their_names_in_the_order_of_the_keys():
  keys = lambda name: {'f': ('x', 'y')}.get(name, ())
  assert calls_lib.calls("f(4) | f('a', y=2) | f(1, 2)", keys_of=keys) == [
      ('f', {'x': 4}), ('f', {'x': 'a', 'y': 2}), ('f', {'x': 1, 'y': 2})]
  for text in ('f(1, 2, 3)', 'f(1, x=2)', 'g(1)'):
    with pytest.raises(errors.ConfigError, match='need their names'):
      calls_lib.calls(text, keys_of=keys)


@pytest.mark.parametrize('text, sentence', [
    ('', 'cannot be read: '),
    ('flip( | normalise()', 'cannot be read: '),
    (None, 'the augmentation None cannot be read: '),
    ('flip | normalise()', r"'flip' is not the call of an op; write flip\(\)"),
    ('flip() + normalise()', r"'flip\(\) \+ normalise\(\)' is not the call of an op"),
    ('pad_crop(4, pad=4) | normalise()', r"the arguments of 'pad_crop\(4, pad=4\)' need their"),
    ('pad_crop(**x) | normalise()', 'need their names'),
    ('pad_crop(pad=print(1)) | normalise()', 'are not all literal values'),
    ('a.flip() | normalise()', 'is not the call of an op'),
    ('filp() | normalise()', r"unknown op 'filp' \(did you mean 'flip'\?\); allowed: crop, "),
    ('flip(p=.5) | normalise()', "op 'flip' has no key 'p'; allowed: none"),
])
def test_mistakes_are_one_sentence(text, sentence):
  with pytest.raises(errors.ConfigError, match=sentence) as caught:
    ops.parse(text)
  assert '\n' not in str(caught.value)
