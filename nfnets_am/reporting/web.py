"""A report as one HTML file that needs nothing beside it: tables that sort, pictures, verdicts.

The text is that of the Markdown pages, read by markdown-it; what looks like HTML in it is shown and
not obeyed.
"""

import base64
from collections.abc import Sequence
import dataclasses
import html
import os
import re

from etils import epath
import markdown_it
from markdown_it import token

from nfnets_am.sweeps import paper

# Links of the Markdown pages to each other, and their pictures.
_PAGE = re.compile(r'([\w-]+)\.md')
_COLOURS = {
    paper.HOLDS: 'good', paper.WITHIN: 'good', paper.FAILS: 'bad', paper.ABOVE: 'off',
    paper.BELOW: 'off', paper.OPEN: 'open', paper.NOT_RUN: 'none', paper.NOT_HERE: 'none'}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; padding: 0 1rem; max-width: 90rem;
       color: #222; }
p, li { max-width: 50rem; }
nav { columns: 14rem; margin: 1rem 0; }
nav a { display: block; }
section { border-top: 2px solid #888; margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: .7rem 0; }
th, td { border: 1px solid #ccc; padding: .2rem .5rem; text-align: left; vertical-align: top; }
th { background: #eee; cursor: pointer; position: sticky; top: 0; }
th[aria-sort=ascending]::after { content: " \\25b2"; }
th[aria-sort=descending]::after { content: " \\25bc"; }
td.good { background: #d8f0d8; } td.bad { background: #f6d5d5; } td.off { background: #fbe7cf; }
td.open { background: #eeeefa; } td.none { color: #777; }
img { max-width: 100%; }
code { background: #f3f3f3; }
@media print { nav { display: none; } }
"""
# A click sorts by what a cell begins with, as numbers if both begin so; equal rows stay in order.
_SCRIPT = """
const key = cell => cell.textContent.trim().replace(/,/g, '').replace('\\u2212', '-');
const order = (a, b) => {
  const [x, y] = [parseFloat(a), parseFloat(b)];
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return isNaN(x) || x === y ? a.localeCompare(b) : x - y;
};
for (const head of document.querySelectorAll('th')) {
  head.tabIndex = 0;
  const sort = () => {
    const table = head.closest('table'), body = table.tBodies[0], place = head.cellIndex;
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const other of table.querySelectorAll('th')) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = [...body.rows];
    rows.sort((a, b) => (down ? -1 : 1) * order(key(a.cells[place]), key(b.cells[place])));
    body.append(...rows);
  };
  head.addEventListener('click', sort);
  head.addEventListener('keydown', event => { if (event.key === 'Enter') sort(); });
}
"""


@dataclasses.dataclass(frozen=True)
class Section:
  """A Markdown page as a part of the file.

  Attributes:
    name: of the page, by which others link to it.
    text: in Markdown, its title first.
    picture: SVG, in place of the page's picture; empty if there is none.
    runs: a header and rows: what each number of the section was made by.
  """

  name: str
  text: str
  picture: bytes = b''
  runs: Sequence[Sequence[object]] = ()


def write(path: str | os.PathLike, title: str, sections: Sequence[Section]) -> None:
  """Writes sections as one file, on a disk or in a bucket, with links to each at its top."""
  links = '\n'.join(f'<a href="#{html.escape(section.name)}">{html.escape(_title(section))}</a>'
                    for section in sections[1:])
  body = '\n'.join(_section(section) for section in sections)
  epath.Path(path).write_text(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{f'<nav>{links}</nav>' if links else ''}
{body}
<script>{_SCRIPT}</script>
</body>
</html>
""")


def _title(section: Section) -> str:
  return f'{section.name}: {section.text.partition(chr(10))[0].removeprefix("# ")}'


def _section(section: Section) -> str:
  reader = markdown_it.MarkdownIt('commonmark', {'html': False}).enable('table')
  reader.add_render_rule('table_open', lambda *_: '<div class="wide"><table>\n')
  reader.add_render_rule('table_close', lambda *_: '</table></div>\n')
  tokens = reader.parse(section.text)
  for i, one in enumerate(tokens):
    if one.type == 'td_open' and (kind := _COLOURS.get(tokens[i + 1].content)):
      one.attrSet('class', kind)
    for child in one.children or ():
      _readdress(child, section)
  shown = reader.renderer.render(tokens, reader.options, {})
  return f'<section id="{html.escape(section.name)}">\n{shown}{_runs(section)}</section>'


def _readdress(found: token.Token, section: Section) -> None:
  if found.type == 'image' and section.picture:
    found.attrSet('src', f'data:image/svg+xml;base64,{base64.b64encode(section.picture).decode()}')
  elif found.type == 'link_open' and (page := _PAGE.fullmatch(str(found.attrGet('href')))):
    found.attrSet('href', f'#{page[1]}')


def _runs(section: Section) -> str:
  if len(section.runs) < 2:
    return ''
  header, *rows = section.runs
  cells = lambda row, tag: ''.join(f'<{tag}>{html.escape(str(text))}</{tag}>' for text in row)
  lines = '\n'.join(f'<tr>{cells(row, "td")}</tr>' for row in rows)
  return (f'<details><summary>What made these numbers: {len(rows):,} runs</summary>\n'
          f'<div class="wide"><table>\n<thead><tr>{cells(header, "th")}</tr></thead>\n'
          f'<tbody>\n{lines}\n</tbody></table></div></details>\n')
