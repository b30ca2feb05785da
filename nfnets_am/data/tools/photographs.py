"""Natural photographs that lie inside Python packages, for stand-ins, tests and benchmarks."""

import importlib.util
import pathlib

from nfnets_am.core import errors

# Name to install -> folder and photographs in it. Nothing of the package is imported.
_PACKAGES = {
    'matplotlib': ('matplotlib/mpl-data/sample_data', ('grace_hopper.jpg',)),
    'scikit-image': ('skimage/data', ('astronaut.png', 'chelsea.png', 'coffee.png', 'rocket.jpg')),
    'scikit-learn': ('sklearn/datasets/images', ('china.jpg', 'flower.jpg')),
}


def packaged() -> list[pathlib.Path]:
  """Returns the files of seven colour photographs of 300x451 to 640x427 pixels, always the same.

  Raises:
    errors.UserError: a package is not installed, or came without its photographs.
  """
  paths = []
  for name, (folder, files) in _PACKAGES.items():
    package, _, inside = folder.partition('/')
    spec = importlib.util.find_spec(package)
    root = pathlib.Path(spec.submodule_search_locations[0]) if spec else pathlib.Path(package)
    paths += [root / inside / file for file in files]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
      raise errors.UserError(
          f'the photograph {missing[0]} of the package {name} is not there; install '
          f'{" and ".join(_PACKAGES)}, or name a folder of photographs')
  return paths
