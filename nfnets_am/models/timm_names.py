"""What timm (pytorch-image-models) calls the modules of our networks.

A family is a line of FAMILIES and a function of a module's path, without the network's own name, to
timm's. The tensors of a module are called alike everywhere, see timm_weights.py.
"""

from collections.abc import Callable
import re

Name = Callable[[str], str]

_SIDES = ('left', 'right')


def _resnet(path: str) -> str:
  top = {'stem': 'conv1', 'stem_norm': 'bn1', 'linear': 'fc'}
  if path in top:
    return top[path]
  stage, block, layer = re.fullmatch(r'stage(\d+)_block(\d+)/(\w+)', path).groups()
  inside = {'shortcut': 'downsample.0', 'shortcut_norm': 'downsample.1'}
  if layer not in inside:
    kind, number = re.fullmatch(r'(conv|norm)(\d)', layer).groups()
    inside[layer] = f'{_unit(kind)}{int(number) + 1}'
  return f'layer{int(stage) + 1}.{block}.{inside[layer]}'


def _unit(kind: str) -> str:
  return {'conv': 'conv', 'norm': 'bn'}[kind]


def _mobilenet_v2(path: str) -> str:
  if path == 'linear':
    return 'classifier'
  unit, *inside, kind = path.split('/')
  top = {'stem': ('conv_stem', 'bn1'), 'last': ('conv_head', 'bn2')}
  if unit in top:
    return top[unit][kind == 'norm']
  stage, block = re.fullmatch(r'stage(\d+)_block(\d+)', unit).groups()
  layer, = inside
  # The first block does not widen.
  units = {'depthwise': 'conv_dw', 'narrow': 'conv_pw'} if stage == '0' else {
      'widen': 'conv_pw', 'depthwise': 'conv_dw', 'narrow': 'conv_pwl'}
  name = f'bn{list(units).index(layer) + 1}' if kind == 'norm' else units[layer]
  return f'blocks.{stage}.{block}.{name}'


# Where a cell takes in the one before the last; from a larger map on two paths.
_BEFORE = {'conv0': 'path_1.conv', 'conv1': 'path_2.conv', 'norm_of_both': 'final_path_bn',
           'conv': 'conv_prev_1x1.conv', 'norm': 'conv_prev_1x1.bn'}


def _nasnet(path: str) -> str:
  top = {'stem': 'conv0.conv', 'stem_norm': 'conv0.bn', 'linear': 'last_linear'}
  if path in top:
    return top[path]
  cell, unit, layer = path.split('/')
  cell = re.sub(r'^(cell|stem|reduction)(\d+)$',
                lambda m: {'cell': 'cell_', 'stem': 'cell_stem_',
                           'reduction': 'reduction_cell_'}[m[1]] + m[2], cell)
  if unit == 'enter1':
    return f'{cell}.conv_1x1.{_unit(layer)}'
  if unit == 'enter0':
    return f'{cell}.{_BEFORE[layer]}'
  s, e = re.fullmatch(r'sum(\d)_(\d)', unit).groups()
  kind, number = re.fullmatch(r'([a-z]+)(\d)', layer).groups()
  number = int(number) + 1
  layer = f'bn_sep_{number}' if kind == 'norm' else f'separable_{number}.{kind}_conv2d'
  return f'{cell}.comb_iter_{s}_{_SIDES[int(e)]}.{layer}'


_INCEPTION_STEM = {'stem0': 'Conv2d_1a_3x3', 'stem1': 'Conv2d_2a_3x3', 'stem2': 'Conv2d_2b_3x3',
                   'stem4': 'Conv2d_3b_1x1', 'stem5': 'Conv2d_4a_3x3'}
# The branches of a block by its place; what has several convolutions numbers them from 1.
_INCEPTION_BRANCHES = {
    '5b 5c 5d': ('branch1x1', 'branch5x5_', 'branch3x3dbl_', 'branch_pool'),
    '6a': ('branch3x3', 'branch3x3dbl_'),
    '6b 6c 6d 6e': ('branch1x1', 'branch7x7_', 'branch7x7dbl_', 'branch_pool'),
    '7a': ('branch3x3_', 'branch7x7x3_'),
    '7b 7c': ('branch1x1', 'branch3x3_', 'branch3x3dbl_', 'branch_pool'),
}


def _inception(path: str) -> str:
  if path == 'linear':
    return 'fc'
  if path == 'auxiliary/linear':
    return 'AuxLogits.fc'
  *block, unit, kind = path.split('/')
  if not block:
    return f'{_INCEPTION_STEM[unit]}.{_unit(kind)}'
  if block == ['auxiliary']:
    return f'AuxLogits.{unit.replace("unit", "conv")}.{_unit(kind)}'
  place = block[0].removeprefix('mixed_')
  branches = next(value for key, value in _INCEPTION_BRANCHES.items() if place in key.split())
  branch, number, fork = re.fullmatch(r'branch(\d)_(\d)(?:_(\d))?', unit).groups()
  name = branches[int(branch)]
  if name.endswith('_'):
    name += str(int(number) + 1) + ('' if fork is None else 'ab'[int(fork)])
  return f'Mixed_{place}.{name}.{_unit(kind)}'


FAMILIES: dict[str, Name] = {
    'inception_v3': _inception,
    'mobilenet_v2': _mobilenet_v2,
    'nasnet_a_large': _nasnet,
    **dict.fromkeys(('resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152'), _resnet),
}
