"""Where iolab's own files are, and where it writes.

The same folders in a checkout and in an installed package; `iolab/__init__.py` tells why they have
the same names in both. An installed package is never written to.
"""

from __future__ import annotations

import os
from pathlib import Path

import iolab

ROOT = Path(__file__).resolve().parents[1]
"""Has harness/, server/, client/, subjects/, docker/ and compose.yaml: the checkout, or the
installed package. Python that is started in it can `import iolab`: from it, or from where iolab is
installed. A server of ours is started in it too, as `python3 -m server`."""

IMPORTED_FROM = Path(iolab.__file__).resolve().parents[1]
"""The folder by which `import iolab` finds it: the checkout, or site-packages."""

IS_CHECKOUT = ROOT == IMPORTED_FROM
"""Whether there are docs/ and gallery/ too, and all may be written to."""

SUBJECTS = ROOT / "subjects"
COMPOSE = ROOT / "compose.yaml"


def runs() -> Path:
    """Where runs keep what they observed: below the folder that the user is in."""
    return Path.cwd() / "runs"


def cache() -> Path:
    """Where the user keeps what can be made again (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "iolab")
