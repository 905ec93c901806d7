"""Which event loop runs what is written for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run it on the standard library's loop (`asyncio`) or on `uvloop`."""
    if name == "uvloop":
        import uvloop

        uvloop.run(work)
    else:
        asyncio.run(work)
