"""Pages of `docs/` that are made from the code, and the check that they are not stale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from iolab.harness.backends import declared
from iolab.harness.command_line import Parser
from iolab.harness.errors import UsageError
from iolab.harness.pages import (
    connection,
    faults,
    gallery,
    models,
    records,
    results,
    scenarios,
    schemas,
)
from iolab.harness.places import ROOT
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE


def _backends() -> str:
    return declared.page({entry.id: entry.needs for entry in CATALOGUE.values()})


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/scenarios.md": scenarios.page,
    "docs/faults.md": faults.page,
    "docs/gallery.md": gallery.page,
    "docs/records.md": records.page,
    "docs/backends.md": _backends,
    "docs/results.md": results.page,
    "docs/manifest.schema.json": schemas.manifest,
    "docs/results.schema.json": schemas.results,
    **connection.pages(),
    **models.pages(),
}


def main(arguments: Sequence[str]) -> int:
    """`iolab docs [--check]`: write the pages, or say which of them are stale."""
    parser = Parser(prog="iolab docs", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one is stale")
    options = parser.parse_args(arguments)
    load_catalogue()
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not options.check:
                _write(path, text)
                print(f"written: {name}")
    if options.check and stale:
        print(f"stale: {', '.join(stale)}; `make format` writes them anew")
        return 1
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
