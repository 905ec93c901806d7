"""The C programs, compiled if there is a compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = (HERE / "contestants" / "epoll_echo.c", HERE / "load" / "load.c")
COMPILERS = ("cc", "gcc", "clang", "tcc")


def compile_into(folder: Path) -> str | None:
    """Compile all programs into a folder, each by its source's name.

    None, or why there are none, in one line.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return f"no C compiler is installed (looked for {', '.join(COMPILERS)})"
    for source in SOURCES:
        program = folder / source.stem
        done = subprocess.run(
            [compiler, "-O2", "-o", program, source], capture_output=True, text=True, check=False
        )
        if done.returncode:
            error = next(iter(done.stderr.splitlines()), f"exit status {done.returncode}")
            return f"{Path(compiler).name} cannot compile {source.name}: {error}"
    return None
