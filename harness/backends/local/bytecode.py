"""Compiling what every lab starts anew, so that no start pays for it."""

from __future__ import annotations

import compileall

from iolab.harness.places import IS_CHECKOUT, ROOT


def compile_project() -> None:
    """Write the bytecode of a checkout's server, client and harness, if they may be written to.

    Where they may not, the interpreter compiles at each start, and all is the same but slower. What
    is installed was compiled by who installed it, and is left as it is.
    """
    if not IS_CHECKOUT:
        return
    for package in ("server", "client", "harness"):
        compileall.compile_dir(ROOT / package, quiet=2)
