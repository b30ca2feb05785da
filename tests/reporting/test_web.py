"""A report as one HTML file: whole, safe, and sorted by a browser where there is one."""

import html.parser
import pathlib
import re
import shutil
import subprocess

import pytest

from nfnets_am.reporting import pages
from nfnets_am.reporting import web
from nfnets_am.sweeps import experiment_file
from tests.reporting import invented

_BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
_TABLE = """# A <b>title</b> & more

![the picture](a.png)

See [the other](b.md) and [the paper](https://arxiv.org/abs/2105.13343).

| cell | measured | verdict |
|---|---|---|
| n 1, <script>alert(1)</script> | 79.80% ± 0.10% | holds |
| n 4 | 1,000 | does not hold |
| n 16 | no run | not run |
| n 8 | 8.5 | not resolved |
"""
# Elements without an end.
_VOID = ('meta', 'img', 'br', 'link')


class _Reader(html.parser.HTMLParser):
  """What a page refers to, its elements with names, and its cells."""

  def __init__(self):
    super().__init__()
    self.addresses, self.ids, self.cells, self.open = [], [], [], []

  def handle_starttag(self, tag, attrs):
    found = dict(attrs)
    self.addresses += [(tag, found[key]) for key in ('src', 'href') if key in found]
    self.ids += [found['id']] if 'id' in found else []
    if tag == 'td':
      self.cells.append([found.get('class'), ''])
    if tag not in _VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    if tag not in _VOID:
      assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open[-1:] == ['td']:
      self.cells[-1][1] += data


def _read(path):
  reader = _Reader()
  reader.feed(path.read_text())
  assert not reader.open
  return reader


def _sections():
  return [web.Section('a', _TABLE, b'<svg xmlns="http://www.w3.org/2000/svg"/>',
                      [['n', 'commit'], [1, 'abc<i>']]), web.Section('b', '# Another page')]


def test_one_file_holds_all_of_it(tmp_path):
  web.write(tmp_path / 'page.html', 'The <title>', _sections())
  page = _read(tmp_path / 'page.html')
  assert {address.partition(',')[0] for tag, address in page.addresses if tag != 'a'} == {
      'data:image/svg+xml;base64'}
  assert [address for tag, address in page.addresses if tag == 'a'] == [
      '#b', '#b', 'https://arxiv.org/abs/2105.13343']
  assert page.ids == ['a', 'b']
  assert [kind for kind, text in page.cells if text.startswith(('holds', 'does', 'not '))] == [
      'good', 'bad', 'none', 'open']


def test_what_looks_like_html_is_shown_and_not_obeyed(tmp_path):
  web.write(tmp_path / 'page.html', 'The <title>', _sections())
  text = (tmp_path / 'page.html').read_text()
  assert '<script>alert' not in text and '&lt;script&gt;alert(1)' in text
  assert '<b>' not in text and '<i>' not in text and 'abc&lt;i&gt;' in text
  assert '<title>The &lt;title&gt;</title>' in text


def test_every_claim_and_run_of_an_experiment_is_in_it(tmp_path):
  sweep = experiment_file.load(pathlib.Path('experiments/fort2021/table1.py')).get_sweep()
  results = invented.results(sweep)
  section = pages.write_html(results, tmp_path, 'table1', 'the command')
  page = _read(tmp_path / 'table1.html')
  assert section.picture.startswith(b'<?xml') and b'<svg' in section.picture
  texts = [text for _, text in page.cells]
  assert all(claim.text in texts for claim in sweep.claims)
  header, *rows = section.runs
  assert len(rows) == len(results.runs) and not {sweep.metric, *sweep.others} & {*header}
  first = (tmp_path / 'table1.svg').read_bytes()
  pages.write_html(results, tmp_path, 'table1', 'the command')
  # No date and no random names: the same runs are the same file.
  assert first == (tmp_path / 'table1.svg').read_bytes()


@pytest.mark.skipif(not _BROWSER, reason='there is no Chromium')
def test_a_browser_sorts_by_a_click(tmp_path):
  web.write(tmp_path / 'page.html', 'A page', _sections())
  clicks = """<script>
    const head = document.querySelectorAll('th')[1], seen = [];
    for (let i = 0; i < 2; i++) {
      head.click();
      seen.push([...head.closest('table').tBodies[0].rows].map(row => row.cells[1].textContent));
    }
    document.title = JSON.stringify(seen);
  </script></body>"""
  path = tmp_path / 'clicked.html'
  path.write_text((tmp_path / 'page.html').read_text().replace('</body>', clicks))
  done = subprocess.run(
      [_BROWSER, '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path}/me',
       '--dump-dom', path.as_uri()], capture_output=True, text=True, timeout=100, check=True)
  title = html.unescape(re.search('<title>(.*)</title>', done.stdout)[1])
  numbers = '["8.5","79.80% ± 0.10%","1,000"'
  assert title == f'[{numbers},"no run"],["no run","1,000","79.80% ± 0.10%","8.5"]]'
