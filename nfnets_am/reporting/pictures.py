"""The picture of a report: the paper's panels, or each metric over the updates and at its end."""

import os

from nfnets_am.core import quantities
from nfnets_am.reporting import panels
from nfnets_am.sweeps import reduction


def draw(results: reduction.Results, path: str | os.PathLike) -> None:
  """Draws the panels of the sweep, or each metric over the updates and its end run by run."""
  sweep = results.sweep
  if sweep.panels:
    panels.draw(results, path)
    return
  metrics = (sweep.metric, *sweep.others)
  fig, axes = panels.new(len(metrics), 2, (9, 3.2 * len(metrics)), width_ratios=(2, 1))
  for (curves, ends), metric in zip(axes, metrics, strict=True):
    scale = quantities.of(metric).scale
    labels = []
    for i, cell in enumerate(results.tuned(metric)):
      colour = panels.COLOURS[i % len(panels.COLOURS)]
      marker = panels.MARKERS[i % len(panels.MARKERS)]
      label = ', '.join(f'{key} {value}' for key, value in cell.key.items())
      updates, mean, deviation = cell.history(metric)
      curves.plot(updates, scale * mean, color=colour, marker=marker, markersize=4, label=label)
      curves.fill_between(updates, scale * (mean - deviation), scale * (mean + deviation),
                          color=colour, alpha=0.2, linewidth=0)
      values = [scale * run.final[metric] for run in cell.runs if metric in run.final]
      ends.plot([i] * len(values), values, marker, color=colour, alpha=0.5, markersize=5)
      if metric in cell.summaries:
        summary = cell.summaries[metric]
        ends.errorbar(i, scale * summary.mean, scale * summary.deviation, color=colour,
                      marker='_', markersize=16, capsize=4)
      labels.append(label.replace(', ', '\n')
                    + ('' if cell.state == 'finished' else f'\n({cell.state})'))
    curves.set_xlabel('updates')
    curves.set_ylabel(panels.axis_label(metric))
    curves.grid(alpha=0.3)
    curves.legend(frameon=False, fontsize=8)
    ends.set_xticks(range(len(labels)), labels, fontsize=8)
    ends.set_xlim(-0.6, len(labels) - 0.4)
    ends.grid(alpha=0.3, axis='y')
    ends.set_title('at the end; every run a point', fontsize=9, y=1.0)
  fig.suptitle(sweep.title, fontsize=11)
  panels.save(fig, path)
