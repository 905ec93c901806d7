"""The few marks that the pictures of the docs are made of, and the colours they share."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

INK, QUIET, PAPER, GRID = "#1f2933", "#66727f", "#ffffff", "#e4e8ec"


def head(width: int, height: int, title: str) -> Iterator[str]:
    """What opens a document: its size, its title, and paper under all that follows."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui, sans-serif" '
        f'font-size="12" fill="{INK}">'
    )
    yield f"<title>{escape(title, quote=False)}</title>"
    yield rect(0, 0, width, height, PAPER)


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: int = 12,
    weight: str = "normal",
) -> str:
    """Words on one line; `y` is the line that they stand on."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" font-size="{size}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def rect(x: float, y: float, wide: float, high: float, colour: str) -> str:
    """A filled box."""
    return f'<rect x="{x:g}" y="{y:g}" width="{wide:.1f}" height="{high:g}" fill="{colour}"/>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """A thin line."""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}"/>'


def path(d: str, colour: str) -> str:
    """A filled shape, its outline in SVG's own language."""
    return f'<path d="{d}" fill="{colour}"/>'
