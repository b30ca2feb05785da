"""Plain torch modules of the networks that timm lacks: residual ones for CIFAR, with batch norm.

The blocks are those of `models/resnet.py`: convolution, norm, ReLU, convolution, norm, the
shortcut, ReLU; and a 1x1 convolution with a norm as the shortcut wherever the shape changes.
"""

from collections.abc import Sequence
from typing import Any


def residual(classes: int, *, stem: int, channels: Sequence[int], blocks: int) -> Any:
  """Returns a torch.nn.Module of images [B, 3, H, W] to logits [B, K].

  Args:
    classes: K.
    stem: channels of the first convolution.
    channels: of each stage; every stage but the first halves the map.
    blocks: of each stage.
  """
  import torch
  from torch import nn

  class Block(nn.Module):

    def __init__(self, before, after, stride):
      super().__init__()
      self.branch = nn.Sequential(
          *_normed(nn, before, after, 3, stride), nn.ReLU(), *_normed(nn, after, after, 3, 1))
      self.shortcut = (nn.Identity() if (before, stride) == (after, 1)
                       else nn.Sequential(*_normed(nn, before, after, 1, stride)))

    def forward(self, x):
      return torch.relu(self.shortcut(x) + self.branch(x))

  layers, before = [*_normed(nn, 3, stem, 3, 1), nn.ReLU()], stem
  for stage, after in enumerate(channels):
    for block in range(blocks):
      layers.append(Block(before, after, 2 if stage and not block else 1))
      before = after
  layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
  net = nn.Sequential()
  net.body, net.head = nn.Sequential(*layers), nn.Linear(before, classes)
  return net


def _normed(nn: Any, before: int, after: int, kernel: int, stride: int) -> tuple[Any, Any]:
  """A convolution that keeps the map's size, up to its stride, and a norm."""
  return (nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
          nn.BatchNorm2d(after))
