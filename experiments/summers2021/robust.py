"""What the tables and figures of Summers 2021, chapter 3, have in common: networks under attack.

What the thesis leaves open is decided here; of attacks and losses, docs/robustness.md. [P] is the
thesis, [R] the public code of Madry et al. 2018, [C] a choice.

  - Network: "an 18-layer ResNet, equivalent to the 'simple' model" [P] is madry_resnet_18 [C]; 8
    layers on SVHN [P] are madry_resnet with depth=8 [C].
  - Images [C]: in [0, 1], padded with black by 4, cropped and, but for SVHN [P], flipped; the
    network standardises them one by one [R].
  - Length [P]: 200 epochs, and 101 with adversarial images; on SVHN 101 for all [C].
  - Rate [P]: 0.1 after 5 epochs, which rise linearly from 0 [C], a tenth at 100 and at 150; SVHN
    has 0.001 for 5 epochs, 0.01 to the 80th, 0.001 after it.
  - Weight decay [P]: 2e-4, on half the squared norm of kernels alone [R]; SVHN likewise [C].
  - Attacks in training [C]: PGD of 10 steps with the step of the evaluation [P].
  - Label smoothing alone [C]: s = 0.75, the strength that figure 3.2 shows.
  - Pairing on SVHN [C]: 0.5, as on CIFAR-10 [P]; CIFAR-100 has 5.0 [P].
  - Mixing [C]: with another image of the batch, before the attack; Beta(1, 1).
  - Decoupled pairing [C]: its gradient goes to the adversarial logits alone. With both, a small
    network diverges within 40 updates (robust_small.py).
  - Seeds [C]: one run of each row, as printed.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import pathlib

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.training import sections

METHODS = ('regular', 'label_smoothing', 'pgd', 'alp', 'lrm')
ROBUST = ('pgd', 'alp', 'lrm')
# Of the text of section 3.4, beside the rows of the tables.
OF_TEXT = ('mixup', 'decoupled')
_ATTACKED = (*ROBUST, 'decoupled')
_MIXED = ('lrm', 'mixup')
SCALES = ('full', 'smoke')
CELL = {'method': 'regular', 'seed': 0, 'scale': 'full'}
METRIC = 'pgd10/top1'
OTHERS = ('test/top1', 'fgsm/top1', 'pgd5/top1', 'pgd20/top1')
_NOTE = """
These are smoke runs: a tiny network on few images for a few updates, which show that everything
works and nothing else. The thesis' numbers stand beside them to show the form.
"""


@dataclasses.dataclass(frozen=True)
class Table:
  """What differs between the tables.

  Attributes:
    name: key of paper3.json.
    title: of the report.
    data_set: its name.
    model: section of the config.
    epsilon, step_size: of the attacks.
    pairing: coefficient of adversarial logit pairing.
    smoothing, beta, ratio, mix: of LRM.
    flip: whether images are flipped.
    schedule: section of the config.
    epochs: of clean and of adversarial training.
  """

  name: str
  title: str
  data_set: str
  smoothing: float
  beta: float
  ratio: float
  pairing: float = 0.5
  model: Mapping[str, object] = dataclasses.field(
      default_factory=lambda: {'name': 'madry_resnet_18'})
  epsilon: float = 0.03
  step_size: float = 0.0078
  mix: str = 'vh_mixup(alpha=1)'
  flip: bool = True
  schedule: Mapping[str, object] = dataclasses.field(default_factory=lambda: {
      'name': 'piecewise', 'peak': 0.1, 'warmup': '5 epochs',
      'boundaries': ('100 epochs', '150 epochs'), 'scales': (1.0, 0.1, 0.01)})
  epochs: tuple[int, int] = (200, 101)


def config(cell: str, table: Table) -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm,seed=1'.

  Raises:
    ConfigError: an unknown key, method or scale.
  """
  said = cells_lib.parse_cell(cell, CELL)
  for key, allowed in (('method', (*METHODS, *OF_TEXT)), ('scale', SCALES)):
    if said[key] not in allowed:
      raise errors.ConfigError(f'{key}={said[key]!r}; allowed: {", ".join(allowed)}')
  method, smoke = said['method'], said['scale'] == 'smoke'
  mixed = f" | mix('{table.mix}')" if method in _MIXED else ''
  found = schema.get_default()
  found.update({
      'views': 128, 'seed': said['seed'], 'budget': f'{table.epochs[method in _ATTACKED]} epochs',
      'data': {'set': table.data_set, 'apply': 'device', 'augment': (
          f'pad_crop(pad=4){" | flip()" if table.flip else ""}{mixed} | normalise(mean=0, std=1)')},
      'model': dict(table.model),
      'objective': _objective(method, table, steps=2 if smoke else 10),
      'schedule': dict(table.schedule),
      'penalty': "l2(coefficient=2e-4, mask='kernels')",
      'eval_every': '100 percent', 'log_every': '100 updates'})
  # Whose logits are a histogram of figure 3.1 or 3.2.
  found.evals.test = ml_collections.ConfigDict({'name': 'accuracy', 'keep': True})
  attack = {'split': 'test', 'epsilon': table.epsilon}
  found.evals.fgsm = ml_collections.ConfigDict({'name': 'fgsm', **attack})
  for steps in (5, 10, 20):
    found.evals[f'pgd{steps}'] = ml_collections.ConfigDict(
        {'name': 'pgd', 'steps': steps, 'step_size': table.step_size, **attack})
  found.evals.pgd10.keep = True
  if smoke:
    found.data.update({'set': 'fashion_mnist_small', 'train_images': 64})
    found.model = ml_collections.ConfigDict({'name': 'madry_resnet', 'depth': 8})
    found.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': 0.01})
    found.update({'views': 16, 'budget': '4 updates', 'log_every': '2 updates'})
    for part in found.evals.values():
      part.update({'batch': 16, 'most': 1})
  return found


def _objective(method: str, table: Table, steps: int) -> dict[str, object]:
  attack = f'pgd(epsilon={table.epsilon}, step_size={table.step_size}, steps={steps})'
  adversarial = {'name': 'adversarial', 'attack': attack}
  decoupled = {**adversarial, 'pairing': (
      f"decoupled(ratio={table.ratio}, beta={table.beta}, to='adversarial')")}
  return {
      'regular': {'name': 'cross_entropy'},
      'label_smoothing': {'name': 'cross_entropy', 'label_smoothing': 0.75, 'spread': 'others'},
      'pgd': adversarial,
      'alp': {**adversarial, 'pairing': f'squared(coefficient={table.pairing})'},
      'lrm': {**decoupled, 'label_smoothing': table.smoothing},
      'mixup': {'name': 'cross_entropy'},
      'decoupled': decoupled,
  }[method]


def folder(config_of: Callable[[str], ml_collections.ConfigDict], **cell: object) -> str:
  """Returns the folder of a run that another cell of its sweep measures, which lies beside it.

  Args:
    config_of: get_config of the experiment.
    **cell: of the run.
  """
  found = sections.complete(config_of(cells_lib.cell_name(cell)))
  return identity.run_name(identity.to_json(found), sections.defaults(found))


def check_scale(scale: str) -> dict[str, str]:
  """Returns what the cells of a scale have beside their own keys.

  Raises:
    ConfigError: an unknown scale.
  """
  if scale not in SCALES:
    raise errors.ConfigError(f'scale={scale!r}; allowed: {", ".join(SCALES)}')
  return {'scale': scale} if scale == 'smoke' else {}


def note(scale: str) -> str:
  """Returns what may be concluded from runs of a scale."""
  return _NOTE if scale == 'smoke' else ''


def sweep(table: Table, scale: str) -> experiment_file.Sweep:
  """Returns the five rows of a table, with what the text says of them."""
  extra = check_scale(scale)
  return experiment_file.Sweep(
      title=table.title, metric=METRIC, others=OTHERS,
      cells=tuple({'method': method, 'seed': 0, **extra} for method in METHODS),
      numbers=numbers(table.name), claims=_claims(table), note=note(scale))


def numbers(name: str) -> tuple[paper.Number, ...]:
  """Returns what a table prints, or a figure's text."""
  return paper.read_numbers(pathlib.Path(__file__).with_name('paper3.json'), name)


def _claims(table: Table) -> tuple[paper.Claim, ...]:
  printed = {(number.cell['method'], number.metric): number.value for number in numbers(table.name)}
  attacks = ('fgsm/top1', 'pgd5/top1', 'pgd10/top1', 'pgd20/top1')

  def claim(text, better, others, metrics):
    evidence = '; '.join(
        f'{metric.partition("/")[0]}: ' + ', '.join(
            f'{method} {printed[method, metric]:.1f}' for method in (better, *others))
        for metric in metrics)
    return paper.Claim(text, evidence, claims.all_of(*(
        claims.better({'method': better}, {'method': other}, metric)
        for other in others for metric in metrics)))

  return (
      claim('LRM is the most robust of all methods to every attack of PGD.', 'lrm',
            METHODS[:-1], attacks[1:]),
      claim('Adversarial logit pairing is more robust than PGD-based training to 10 and 20 steps '
            'of PGD.', 'alp', ('pgd',), attacks[2:]),
      claim('Label smoothing alone is far more robust to FGSM than regular training.',
            'label_smoothing', ('regular',), attacks[:1]),
      claim('Robustness costs accuracy on clean images: regular training is better than PGD, ALP '
            'and LRM.', 'regular', ROBUST, ('test/top1',)))
