"""Compiling what every lab starts anew, so that no start pays for it."""

from __future__ import annotations

import compileall

from iolab.harness.backends.local.process import PROJECT


def compile_project() -> None:
    """Write the bytecode of server, client and harness, where the project's folder is writable.

    Where it is not, the interpreter compiles at each start, and all is the same but slower.
    """
    for package in ("server", "client", "harness"):
        compileall.compile_dir(PROJECT / package, quiet=2)
