"""The live view as a picture: SVG, as the README shows it."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from iolab.harness.errors import UsageError
from iolab.harness.live.state import State
from iolab.harness.live.view import view

COLUMNS, ROWS = 144, 40

# The reader's own fonts will do: a picture in a README loads nothing from elsewhere.
_FONTS = re.compile(r"@font-face\s*\{[^}]*\}")


def write(state: State, path: Path) -> None:
    """Draw the view as it is now; UsageError when the file cannot be written."""
    console = Console(
        record=True,
        width=COLUMNS,
        height=ROWS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(view(state, COLUMNS, ROWS), height=ROWS, end="")
    picture = console.export_svg(title=f"make lab MODEL={state.model}", unique_id="live")
    try:
        path.write_text(_FONTS.sub("", picture), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--capture: {path} cannot be written: {error.strerror}") from error
