"""Figure 2.1 of Summers 2021: two images, and what eight of the ways to mix make of them.

    python -m experiments.summers2021.figure2_1 --out=FILE.png
    python -m experiments.summers2021.figure2_1 --out=FILE.png --set=cifar10
    python -m experiments.summers2021.figure2_1 --out=FILE.png --set=folder:PATH --size=128

The caption speaks of eight methods, all better than no mixing, and does not name them: the choice
is ours. Each pair of images has lines of its own: a view, its partner, and a mixture of each method
with the share of the first label that it has drawn. Without --set the images are the bundled ones.
"""

from experiments.summers2021 import sheet_command

METHODS = ('mixup', 'bc_plus', 'vertical_concat', 'horizontal_concat', 'mixed_concat', 'random_2x2',
           'vh_mixup', 'random_rows')


if __name__ == '__main__':
  sheet_command.run(METHODS)
