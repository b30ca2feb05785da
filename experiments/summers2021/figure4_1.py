"""Figures 4.1 and A.2 of Summers 2021: three published networks of ImageNet, weighed at inference.

    python -m experiments.summers2021.figure4_1 --data_dir=DIR --out=runs/summers2021/figure4_1 \\
        --weights=resnet152=A.safetensors --weights=mobilenet_v2=B.safetensors \\
        --weights=nasnet_a_large=C.safetensors

Top-1, top-5 and cross-entropy on the 50,000 validation images of ImageNet over alpha, without any
training. Printed for ResNet-152: up to 0.6 points of top-1, 0.16 of top-5 and 4.7% of the
cross-entropy; the best alpha is largest for NASNet-A. Alpha is chosen on the images that are shown,
as in the thesis.

Its networks are TF-slim's. These are files in timm's layout [C]: resnet152.tv_in1k,
mobilenetv2_100.ra_in1k and nasnetalarge.tf_in1k, of which the last is TF-slim's own. The first two
have other recipes than the thesis', so that their gains may differ. Images are scaled and cut as in
timm: the middle 224 of 256 pixels, or 331 of 363 [C]. Hardware: inference, 16 forward passes an
image; what is done stays in --out, and a network whose file is not given is left out.
"""

from collections.abc import Mapping
import json
import pathlib
import subprocess
import sys
from typing import Any

from absl import flags

from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# Figure 4.1 has those close to 0, figure A.2 all.
ALPHAS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_CLOSE = 0.1
# Network -> flags of nfnets_am.evaluate.
NETWORKS: Mapping[str, tuple[str, ...]] = {
    'resnet152': ('--model=resnet152', '--size=224'),
    'mobilenet_v2': ('--model=mobilenet_v2', '--size=224'),
    'nasnet_a_large': ('--model=nasnet_a_large(count_padding=True)', '--size=331',
                       '--normalise=mean=.5, std=.5'),
}
_METRICS = ('test/top1', 'test/top5', 'test/loss')


def sweep() -> experiment_file.Sweep:
  """Returns a cell for each network and alpha, with the figures' panels and the text's claims."""
  more = tuple(alpha for alpha in ALPHAS if alpha)
  of = lambda model, alpha=more: {'model': model, 'alpha': alpha}
  gains = lambda metric: claims.better(of('resnet152'), of('resnet152', 0.0), metric)
  return experiment_file.Sweep(
      title='Figures 4.1 and A.2: weighing published networks',
      cells=tuple({'model': model, 'alpha': alpha} for model in NETWORKS for alpha in ALPHAS),
      others=_METRICS[1:],
      panels=tuple(
          paper.Panel(f'{title}, {metric.partition("/")[2]}', x='alpha', metric=metric,
                      where={'alpha': alphas}, line='model', log_x=False)
          for title, alphas in (('4.1', tuple(a for a in ALPHAS if a <= _CLOSE)), ('A.2', ALPHAS))
          for metric in _METRICS),
      claims=(
          paper.Claim('Weighing improves top-1 of ResNet-152.', 'by 0.6 points',
                      gains(_METRICS[0])),
          paper.Claim('It improves its top-5.', 'by 0.16 points', gains(_METRICS[1])),
          # Cross-entropy over images has no error here: what is measured decides.
          paper.Claim('It improves its cross-entropy.', 'by 4.7%', lower('resnet152')),
          paper.Claim('It improves top-1 of MobileNetV2 and NASNet-A.', 'Figure 4.1',
                      claims.all_of(*(claims.better(of(model), of(model, 0.0))
                                      for model in ('mobilenet_v2', 'nasnet_a_large')))),
          paper.Claim('The best alpha is largest for NASNet-A.', 'Figure 4.1', claims.all_of(*(
              claims.best_at('larger', 'alpha', {'model': 'nasnet_a_large'}, {'model': model})
              for model in ('resnet152', 'mobilenet_v2'))))))


def lower(model: str) -> claims.Check:
  """Some alpha over 0 has a lower cross-entropy than 0, on these very images."""

  def judge(results):
    values = {cell.key['alpha']: cell.summaries['test/loss'].mean
              for cell in results.matching({'model': model}) if 'test/loss' in cell.summaries}
    if len(values) < len(ALPHAS):
      return paper.Verdict(paper.NOT_RUN, f'{model} is not evaluated')
    best = min(values, key=values.get)
    text = f'{values[0.0]:.4f} at alpha 0 and {values[best]:.4f} at {best:g}'
    return paper.Verdict(paper.HOLDS if best else paper.FAILS, text)

  return judge


class Reader:
  """In the place of outcomes.Reader: NETWORK.json, as nfnets_am.evaluate prints it."""

  def __init__(self, folder: pathlib.Path):
    self._found = {path.stem: json.loads(path.read_text()) for path in folder.glob('*.json')}

  def read(self, run: experiment_file.Run) -> outcomes.RunResult:
    """Returns what a network says at an alpha; 'missing' if it is not evaluated."""
    found = self._found.get(run.cell['model'])
    if found is None:
      return outcomes.RunResult(run.cell, 'missing')
    final = {metric: found[quantities.at(metric.partition('/')[2], run.cell['alpha'])]
             for metric in _METRICS}
    return outcomes.RunResult(run.cell, 'finished', final={
        **final, 'test/images': found['images']})


def results(folder: pathlib.Path) -> reduction.Results:
  """Returns what lies in a folder."""
  plan = sweep()
  runs = [experiment_file.Run(cell, f'{cell["model"]}@{cell["alpha"]:g}', (), None)
          for cell in plan.cells]
  return reduction.reduce(plan, runs, Reader(folder))


def command(model: str, file: str, data_dir: str | None) -> list[str]:
  """Returns the arguments that evaluate a network.

  Raises:
    UserError: there is no such network.
  """
  if model not in NETWORKS:
    raise errors.UserError(f'--weights={model}={file}; allowed: {", ".join(NETWORKS)}')
  where = [f'--data_dir={data_dir}'] if data_dir else []
  return [sys.executable, '-m', 'nfnets_am.evaluate', f'--weights={file}', *NETWORKS[model],
          f'--alphas={",".join(f"{alpha:g}" for alpha in ALPHAS)}', '--batch=50', *where]


def _evaluate(arguments: list[str]) -> dict[str, Any]:
  done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True)
  if done.returncode:
    raise errors.UserError('nfnets_am.evaluate has ended as it says above')
  return json.loads(done.stdout.strip().splitlines()[-1])


def run() -> None:
  """Evaluates the networks whose files are given, and writes the page of all that are."""
  weights = flags.DEFINE_multi_string('weights', [], 'NETWORK=FILE of safetensors; repeatable.')
  data_dir = flags.DEFINE_string('data_dir', None, 'Where imagenet2012 is; else as TFDS has it.')
  to = flags.DEFINE_string('out', None, 'Folder of numbers, page and picture.', required=True)

  def main() -> None:
    out = pathlib.Path(to.value)
    out.mkdir(parents=True, exist_ok=True)
    for text in weights.value:
      model, _, file = text.partition('=')
      arguments = command(model, file, data_dir.value)
      kept = out / f'{model}.json'
      if not kept.exists():
        kept.write_text(json.dumps(_evaluate(arguments)))
    pages.write(results(out), out, 'figure4_1',
                f'python -m experiments.summers2021.figure4_1 --out={out}')
    print(f'page {out / "figure4_1.md"}')

  cli.run(main)


if __name__ == '__main__':
  run()
