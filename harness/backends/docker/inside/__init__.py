"""Programs that run in containers, handed to `python3 -c`; standard library only, a file each.

They are the harness's and not the images': what is cleaned up by them may be any container.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def source(name: str) -> str:
    """The text of `NAME.py` of this folder."""
    return resources.files(__name__).joinpath(f"{name}.py").read_text()


def program(name: str) -> tuple[str, ...]:
    """The command that runs `NAME.py` of this folder."""
    return ("python3", "-ISc", source(name))
