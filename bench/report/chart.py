"""The chart: every contestant's messages a second, as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from xml.sax.saxutils import escape

from bench.contestants import CONTESTANTS
from bench.plan import Group
from bench.report.figures import title
from bench.rounds import Results

WIDTH = 860
_ROW, _BAR = 26, 16
_HEAD, _FOOT = 74, 40
_LEFT, _RIGHT = 190, 70  # for the names, and for the figures

_KINDS = {"ours": "ours", "others": "Python", "c": "C"}

_STYLE = """\
  .back { fill: #ffffff } text { font: 13px sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: bold } .note, .tick { fill: #59636e; font-size: 12px }
  .ours { fill: #2f6fb5 } .others { fill: #a9b4c0 } .c { fill: #5d7a3a }
  .grid { stroke: #d8dee4 } .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } text { fill: #e6edf3 } .note, .tick { fill: #9198a1 }
    .ours { fill: #4d8fd6 } .others { fill: #57606a } .c { fill: #7d9c55 }
    .grid { stroke: #30363d } .spread { stroke: #e6edf3 }
  }
"""


def svg(group: Group, results: Results) -> str:
    """A bar for each contestant of a group that was measured, quickest first; the line across its
    end goes from the slowest round to the quickest."""
    bars = sorted(_bars(group, results), key=lambda bar: -median(bar[2]))
    height = _HEAD + _ROW * len(bars) + _FOOT
    step = _step(max(max(rates) for _, _, rates in bars))
    most = step * 5
    scale = (WIDTH - _LEFT - _RIGHT) / most
    bottom = height - _FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(group.title)}: messages a second</title>",
        f"<style>\n{_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="16" y="28">Messages a second: {escape(group.title)}</text>',
        '<text class="note" x="16" y="50">Median of all rounds; the line goes from the slowest '
        "round to the quickest.</text>",
        *_legend(),
    ]
    for value in range(0, most + 1, step):
        x = _LEFT + value * scale
        lines += [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_HEAD - 6}" y2="{bottom}"/>',
            f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{value:,}</text>",
        ]
    for place, (name, kind, rates) in enumerate(bars):
        lines += _row(name, kind, rates, _HEAD + _ROW * place, scale)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bars(group: Group, results: Results) -> list[tuple[str, str, list[float]]]:
    bars = []
    for entry in group.entries:
        measured = results.rounds.get((group.name, entry.name))
        if measured:
            contestant = CONTESTANTS[entry.contestant]
            kind = "ours" if contestant.ours else "others" if contestant.in_python else "c"
            bars.append((title(entry), kind, [m.sample.rate for m in measured]))
    return bars


def _legend() -> list[str]:
    lines = []
    for place, (kind, words) in enumerate(_KINDS.items()):
        x = WIDTH - _RIGHT - 80 * (len(_KINDS) - place)
        lines += [
            f'<circle class="{kind}" cx="{x + 6}" cy="46" r="6"/>',
            f'<text class="note" x="{x + 17}" y="50">{words}</text>',
        ]
    return lines


def _row(name: str, kind: str, rates: Sequence[float], top: int, scale: float) -> list[str]:
    length = median(rates) * scale
    low, high = _LEFT + min(rates) * scale, _LEFT + max(rates) * scale
    base, middle = top + _BAR - 3, top + _BAR / 2
    return [
        f'<text x="{_LEFT - 10}" y="{base}" text-anchor="end">{escape(name)}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_BAR}"/>',
        f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
        f'<text x="{high + 8:.1f}" y="{base}">{median(rates):,.0f}</text>',
    ]


def _step(most: float) -> int:
    """A round number, five of which reach at least to `most`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if 5 * factor * step >= most:
                return factor * step
        step *= 10
