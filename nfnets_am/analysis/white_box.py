"""Accuracy of a finished run under an attack that its config lacks (Summers 2021, table 3.6)."""

from etils import epath

from nfnets_am import attacks
from nfnets_am.analysis import measures
from nfnets_am.core import errors
from nfnets_am.evaluation import attacked
from nfnets_am.evaluation import evaluation
from nfnets_am.evaluation import evaluator
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved

# What a cell's folder calls its numbers: 'white_box/top1'.
NAME = 'white_box'


def white_box(*, run: str, attack: str, split: str = 'test', batch: int = 500, most: int = 0
              ) -> measures.Measure:
  """'white_box/top1' and 'white_box/loss' of a run on images that its own gradients have moved.

  Args:
    run: folder of a finished run, beside that of the cell or anywhere.
    attack: one of attacks.ATTACKS with its keys, 'pgd(steps=1000)'.
    split: of the run's input.
    batch: images in a step over all devices.
    most: steps; 0 is the whole split.

  Raises:
    ConfigError: an attack that cannot be read, or a split that the run does not have.
    UserError: the folder holds no finished run.
  """
  made = attacks.parse(attack)

  def measure(cell: run_lib.Run, folder: epath.Path) -> measures.Found:
    path = folder.parent / run
    found = measures.finished('run', path)
    if split not in found.dataset.splits:
      raise errors.ConfigError(
          f'split={split!r} of white_box; allowed: {", ".join(found.dataset.splits)}')
    one = evaluation.Evaluation(NAME, attacked.by(made), split, every='', batch=batch, most=most,
                                keep=False)
    result, _ = evaluator.Evaluator(
        one, found.experiment.model, found.dataset, backend=found.backend,
        seed=cell.seeds.attack).evaluate(evaluator.weights_of(saved.newest(path, found)[1]))
    return {NAME: result}, {}

  return measure
