"""What chapter 3 of Summers 2021 says of accuracies, held against the runs of robust_small.py."""

from nfnets_am.reporting import claims as claims_lib
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

METHODS = ('regular', 'label_smoothing', 'pgd', 'alp', 'lrm')
ROBUST = METHODS[2:]
_STRONG = ('pgd100/top1', 'restarts/top1', 'spsa/top1')
OTHERS = ('test/top1', 'fgsm/top1', 'pgd5/top1', 'pgd20/top1', *_STRONG,
          *(f'black_box_{target}/top1' for target in METHODS))
_FGSM, _PGD10, _CLEAN = 'fgsm/top1', 'pgd10/top1', 'test/top1'


def of(method: str, black_box: int = 0) -> dict[str, object]:
  """Returns what the cells of a method have, of a black box whose source it is."""
  return {'method': method, 'black_box': black_box}


def claims() -> tuple[paper.Claim, ...]:
  """Returns the statements that runs of robust_small.py can support or not."""
  better = lambda a, b, metric: claims_lib.better(of(a), of(b), metric)
  return (
      paper.Claim('LRM is the most robust of all methods to every attack of PGD.', 'Table 3.1',
                  claims_lib.all_of(*(better('lrm', other, f'pgd{steps}/top1')
                                      for other in METHODS[:-1] for steps in (5, 10, 20)))),
      paper.Claim('Adversarial logit pairing is more robust than PGD-based training to 10 and 20 '
                  'steps of PGD.', 'Table 3.1',
                  claims_lib.all_of(*(better('alp', 'pgd', f'pgd{steps}/top1')
                                      for steps in (10, 20)))),
      paper.Claim('Robustness costs accuracy on clean images.', 'Table 3.1',
                  claims_lib.all_of(*(better('regular', other, _CLEAN) for other in ROBUST))),
      paper.Claim('Label smoothing alone (s = 0.75) is far more robust to FGSM than regular '
                  'training.', 'FGSM: 54.7 and 6.1', better('label_smoothing', 'regular', _FGSM)),
      paper.Claim('So is a label smoothing of 0.01.', 'FGSM: 38.3 and 6.1',
                  better('smoothing_01', 'regular', _FGSM)),
      paper.Claim('Label smoothing alone is nearly as robust to 10 steps of PGD as PGD-based '
                  'training (within 5 points).', 'Section 3.4, Figure 3.2',
                  claims_lib.not_worse(of('label_smoothing'), of('pgd'), 5, _PGD10)),
      paper.Claim('It costs no significant accuracy on clean images (1 point at most).',
                  '86.9 and 87.4',
                  claims_lib.not_worse(of('label_smoothing'), of('regular'), 1, _CLEAN)),
      paper.Claim('Mixup on clean images makes a network more robust to FGSM.',
                  'FGSM: 30.8 and 6.1', better('mixup', 'regular', _FGSM)),
      paper.Claim('It makes none robust to 10 steps of PGD (by 1 point at most).',
                  'PGD-10: 0 and 0', claims_lib.not_worse(of('regular'), of('mixup'), 1, _PGD10)),
      paper.Claim('Squeezing the logits makes PGD-based training more robust.', 'Figure 3.1',
                  better('squeezed', 'pgd', _PGD10)),
      paper.Claim('With logit pairing, squeezing hurts.', 'Figure 3.1',
                  better('alp', 'alp_squeezed', _PGD10)),
      paper.Claim('Decoupled pairing alone is more robust than logit pairing.', '1.9 points',
                  better('decoupled', 'alp', _PGD10)),
      paper.Claim('It is more robust than PGD-based training.', '5.6 points',
                  better('decoupled', 'pgd', _PGD10)),
      *(paper.Claim(f'Images made on {stronger.upper()} mislead robust networks more than those '
                    f'made on {weaker.upper()}.', 'Table 3.2', claims_lib.all_of(*(
                        claims_lib.better(of(weaker, 1), of(stronger, 1),
                                          f'black_box_{target}/top1') for target in ROBUST)))
        for stronger, weaker in (('lrm', 'alp'), ('alp', 'pgd'))),
      paper.Claim('Against the source that is worst for it label smoothing is better than any '
                  'other method against its own.', 'Table 3.2: 66.7, others at most 55.7',
                  highest_least('label_smoothing')))


def highest_least(target: str, by: float = 0.0) -> claims_lib.Check:
  """A target's accuracy at the source that is worst for it is higher than any other target's.

  Args:
    target: a method.
    by: so many points at least.
  """

  @judging.check
  def judge(results):
    least = {}
    for one in METHODS:
      metric = f'black_box_{one}/top1'
      cells = judging.cells_of(results, {'black_box': 1})
      least[one] = metric, min(
          (cell for cell in cells if metric in cell.summaries),
          key=lambda cell, metric=metric: cell.summaries[metric].mean)
    found = [_less(least[target], least[other]).less(by / 100)
             for other in METHODS if other != target]
    text = '; '.join(f'{cell.summaries[metric].text(metric)} of {one} on {cell.key["method"]}'
                     for one, (metric, cell) in least.items())
    return judging.of_side(judging.weakest(found), text + judging.so_far(
        results, {'black_box': 1}))

  return judge


def _less(a: tuple[str, reduction.Cell], b: tuple[str, reduction.Cell]) -> differences.Difference:
  return differences.weighted(
      (sign, cell.summaries[metric].measured(metric)) for sign, (metric, cell) in ((1, a), (-1, b)))
