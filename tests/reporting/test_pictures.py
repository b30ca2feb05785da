"""Pictures of full results: nothing is cut, nothing lies over anything, ticks are what was run."""

import dataclasses

from matplotlib.backends import backend_agg
import pytest

from nfnets_am.reporting import legends
from nfnets_am.reporting import panels
from nfnets_am.reporting import pictures
from nfnets_am.reporting import ticks
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from tests import commands
from tests.reporting import invented

_FOLDER = commands.ROOT / 'experiments'


def _sweep(name):
  sweep = experiment_file.get_sweep(_FOLDER / f'{name}.py')
  # One seed will do, and all copies of a stage.
  cells = tuple(cell for cell in sweep.cells if cell['seed'] == 0)
  return dataclasses.replace(sweep, cells=cells, stages=None, at='', best_of=0)


def _drawn(results, tmp_path, monkeypatch):
  """The figure of a picture, as it is laid out."""
  kept = []
  save = panels.save
  monkeypatch.setattr(panels, 'save', lambda fig, path: (kept.append(fig), save(fig, path)))
  pictures.draw(results, tmp_path / 'x.png')
  (fig,) = kept
  return fig


def _apart(a, b):
  return a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1


@pytest.mark.parametrize('name', [
    'fort2021/table1', 'fort2021/table2', 'fort2021/figure4', 'fort2021/figure7',
    'fort2021/figure8', 'fort2021/figure9', 'fort2021/figure12', 'summers2021/table2_1',
    'summers2021/small', 'quickstart'])
def test_nothing_is_cut_and_nothing_lies_over_anything(name, tmp_path, monkeypatch):
  sweep = _sweep(name)
  fig = _drawn(invented.results(sweep), tmp_path, monkeypatch)
  renderer = backend_agg.FigureCanvasAgg(fig).get_renderer()
  boxes = [fig._suptitle.get_window_extent(renderer)]
  found = [owner.get_legend() for owner in fig.axes if owner.get_legend()] + list(fig.legends)
  boxes += [legend.get_window_extent(renderer) for legend in found]
  for axis in fig.axes:
    assert axis.lines or axis.collections, 'an empty panel'
    inside = [axis.xaxis.label, axis.yaxis.label, axis.title]
    boxes += [axis.get_window_extent(renderer)]
    boxes += [text.get_window_extent(renderer) for text in inside if text.get_text()]
    for side in (axis.xaxis, axis.yaxis):
      low, high = sorted(side.get_view_interval())
      mine = [tick.label1.get_window_extent(renderer) for tick in side.get_major_ticks()
              if low <= tick.get_loc() <= high and tick.label1.get_text()]
      assert all(_apart(a, b) for i, a in enumerate(mine) for b in mine[:i]), name
      boxes += mine
  whole = fig.bbox
  for i, box in enumerate(boxes):
    assert box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1, (name, box)
    assert box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1, (name, box)
    for other in boxes[:i]:
      assert _apart(box, other), (name, box, other)


def test_ticks_are_at_what_was_run(tmp_path, monkeypatch):
  sweep = _sweep('fort2021/figure4')
  results = invented.results(sweep)
  fig = _drawn(results, tmp_path, monkeypatch)
  for axis, panel in zip(fig.axes, sweep.panels, strict=True):
    run = {x for line in panels.points(results, panel).values() for x, *_ in line}
    assert set(axis.get_xticks()) <= run and len(axis.get_xticks()) > 3


def test_each_line_is_said_once_and_what_all_share_is_not(tmp_path, monkeypatch):
  text = lambda name: [
      entry.get_text() for entry in _drawn(invented.results(_sweep(name)), tmp_path, monkeypatch)
      .legends[0].get_texts()]
  assert text('fort2021/table1') == [
      'F2', 'F3', '112,600 updates', '225,200 updates', 'the paper']
  # All of its runs have one multiplicity.
  assert text('fort2021/table2') == ['F3', 'F5', 'the paper']


def test_stars_lie_where_the_paper_has_them():
  place = lambda name, letter: {
      (x, number.printed) for panel in _sweep(name).panels if panel.title.startswith(letter)
      for x, number in panels.stars(_sweep(name), panel)}
  # 4x10^5 updates are no common budget: they are in (b) alone.
  assert not place('fort2021/figure4', '(a)')
  assert place('fort2021/figure4', '(b)') == {(400_000, '72.1'), (400_000, '73.7')}
  assert place('fort2021/figure4', '(c)') == {(512, '77.3'), (128, '78.6')}
  assert place('fort2021/figure4', '(d)') == {(160_146, '77.3'), (320_292, '78.6')}
  assert {(22.5, '85.49'), (45.0, '85.71'), (360.0, '85.20'), (45.0, '86.16')} < place(
      'fort2021/figure8', '(a)')
  assert {('nfnet_f5', '86.78'), ('nfnet_f5', '86.0'), ('nfnet_f6', '86.5')} < place(
      'fort2021/figure8', '(b)')
  assert {(1, '85.20'), (16, '85.71'), (16, '86.16')} < place('fort2021/table1', 'Top')
  assert {x for x, _ in place('fort2021/table2', 'Top')} == {112_600, 168_900, 225_200}


def test_stars_are_of_another_colour_than_any_line():
  panel = paper.Panel('', 'multiplicity', line='model', dashed='updates')
  style = legends.Style(panel, ['a', 'b'], [1, 2], False)
  number = lambda model, updates, reading='both': paper.Number(
      {'model': model, 'updates': updates}, 85.2, 'test/top1', None, reading, 'Table 1')
  first, second = (style.of_star(number('b', updates)) for updates in (1, 2))
  assert first['color'] == second['color'] not in legends.COLOURS
  assert first['markerfacecolor'] == style.of_line('b', 1)['color']
  assert (first['fillstyle'], second['fillstyle']) == ('full', 'left')
  assert style.of_star(number('b', 1, 'Brock et al.'))['markerfacecolor'] == first['color']


@pytest.mark.parametrize('value, text', [
    (2.0**-9, '$2^{-9}$'), (0.125, '$2^{-3}$'), (0.5, '0.5'), (22.5, '22.5'), (512, '512'),
    (8192, '8192'), (12_500, '12.5k'), (400_000, '400k'), (1_281_167, '1.28M'), (0.0125, '0.0125')])
def test_ticks_are_short(value, text):
  assert ticks.text(value) == text
