"""The packages of `harness/` depend on each other in one direction, and no import is hidden."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HARNESS = ROOT / "harness"
PACKAGE = "iolab.harness"
FILES = sorted(HARNESS.rglob("*.py"))
OTHERS = ("server", "client", "bench", "gallery", "tests")
SOURCES = [*FILES, *(path for top in OTHERS for path in sorted((ROOT / top).rglob("*.py")))]
MOST_LINES = 400

# How it flows (`docs/design.md`): each may import what stands before it.
LAYERS = (
    *("errors", "places", "progress", "command_line", "tables"),
    *("beside", "record", "judge", "subject", "backends", "lab", "faults", "scenarios", "report"),
    *("run", "pictures", "pages", "live", "cli", "conftest"),
)


def layer(path: Path) -> str:
    """The folder of `harness/` that a file is in, or its own name at the top."""
    return path.relative_to(HARNESS).with_suffix("").parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_no_more_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, folder) of everything of the harness that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}".split(".")[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HARNESS)))
def test_a_file_imports_only_what_stands_before_it(path: Path) -> None:
    here = LAYERS.index(layer(path))
    above = [
        f"line {line}: {other}"
        for line, other in imported(ast.parse(path.read_text(encoding="utf-8")))
        if LAYERS.index(other) > here
    ]
    assert not above, f"{path.relative_to(HARNESS)} is in {layer(path)}"
