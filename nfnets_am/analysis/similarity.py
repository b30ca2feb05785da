"""Linear CKA of what models' layers say of the same examples (Kornblith et al. 2019, eq. 5 and 7).

|Y'X|^2 / (|X'X| |Y'Y|), Frobenius norms of features [N, D] whose columns are centred: 1 where one
is the other, rotated and scaled. Two forms of the same number: products of N x N Gram matrices, or
of D x D covariances; the smaller is taken.
"""

from collections.abc import Iterable

from absl import logging
from etils import epath
import numpy as np

from nfnets_am.analysis import agreement
from nfnets_am.analysis import kept
from nfnets_am.analysis import measures
from nfnets_am.core import errors
from nfnets_am.core import quantities


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
  """Returns the similarity in [0, 1] of features [N, ...] and [N, ...]; NaN if one is constant."""
  (found,) = pairwise_cka([x, y])
  return float(found)


def pairwise_cka(features: Iterable[np.ndarray]) -> np.ndarray:
  """Returns the similarity of every two of R models at one layer.

  Args:
    features: of each model [N, ...], flattened for each example; read one after the other. What is
      kept of each is its Gram matrix, or its features where these are smaller.

  Returns:
    float64 [P], of the pairs (0, 1), (0, 2), ... in this order.
  """
  held: list[np.ndarray] = []
  grams = False
  for x in features:
    x = np.reshape(x, (len(x), -1)).astype(np.float64)
    x -= x.mean(0)
    grams = grams or not held and len(x) <= x.shape[1]
    product = x @ x.T if grams else x.T @ x
    norm = np.linalg.norm(product)
    if not norm:
      held.append(np.full(product.shape if grams else x.shape, np.nan))
    else:
      held.append(product / norm if grams else x / np.sqrt(norm))
  return np.array([
      np.vdot(a, b) if grams else np.square(a.T @ b).sum()
      for i, a in enumerate(held) for b in held[i + 1:]])


def similarity(*, runs: tuple[str, ...] = (), vary: tuple[str, ...] = (), count: int = 0,
               evaluation: str = 'features', layers: tuple[str, ...] = (), ema: bool = False
               ) -> measures.Measure:
  """The mean similarity of pairs of runs at each layer, as 'LAYER/similarity', with its error.

  The runs keep features of some examples, evals.features: name='features', keep=True and, with
  `most`, how many. Summers 2021, figure 5.1, compares 25 runs; all layers of a ResNet-14 are 0.2 MB
  an example.

  Args:
    runs, vary, count: as of variability.agreement.
    evaluation: name of what kept the features.
    layers: which of them; () is all.
    ema: whether of the average of the weights.

  Raises:
    UserError: less than two runs, or one that did not keep the features.
  """

  def measure(run, folder):
    folders = kept.of_cell(run, folder, runs, vary, count)
    paths = [kept.path_of(one, evaluation) for one in folders]
    prefix = quantities.EMA if ema else ''
    names = layers or tuple(
        name.removeprefix(prefix) for name in kept.names(paths[0])
        if name != 'label' and name.startswith(quantities.EMA) == ema)
    lines, files = {}, {}
    for layer in names:
      found = pairwise_cka(_features(paths, prefix + layer))
      lines[layer] = {'models': len(paths), 'similarity': float(found.mean())}
      error = agreement.pairs_error(found, len(paths))
      if error == error:
        lines[layer]['similarity_error'] = error
      files[layer] = found.tolist()
      logging.info('%s: similarity %.4f of %d pairs', layer, found.mean(), len(found))
    return lines, {'similarity.json': {'runs': [one.name for one in folders], 'pairs': files}}

  return measure


def _features(paths: list[epath.Path], name: str) -> Iterable[np.ndarray]:
  """Yields an array of each file, one at a time; refuses other examples and constants."""
  label = None
  for path in paths:
    found = kept.read(path, ('label', name))
    label = found['label'] if label is None else label
    if not np.array_equal(label, found['label']):
      raise errors.UserError(f'{path} is of other examples than {paths[0]}; allowed: the same ones')
    if not np.ptp(found[name].reshape((len(label), -1)), axis=0).any():
      raise errors.UserError(
          f'{path}: {name!r} is the same for all examples; allowed: features that differ')
    yield found[name]
