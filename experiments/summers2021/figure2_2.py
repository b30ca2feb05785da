"""Figure 2.2 of Summers 2021: example outputs of all sixteen ways to mix.

    python -m experiments.summers2021.figure2_2 --out=FILE.png
    python -m experiments.summers2021.figure2_2 --out=FILE.png --set=cifar10
    python -m experiments.summers2021.figure2_2 --out=FILE.png --set=folder:PATH --size=128

The thesis draws schemes; here training's own code makes them. Each pair of images has lines of its
own: a view, its partner, and a mixture of each method with the share of the first label that it has
drawn. Without --set the images are the bundled ones.
"""

from experiments.summers2021 import recipes
from experiments.summers2021 import sheet_command

METHODS = recipes.MIXED


if __name__ == '__main__':
  sheet_command.run(METHODS)
