"""The registry of models: one name, one module of this folder."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .base import Model

NAMES = (
    "blocking",
    "threaded",
    "nonblocking",
    "select",
    "poll",
    "epoll",
    "sigio",
    "asyncio",
    "uring",
)

# Those whose wait costs the same however many are idle come first, the quickest of them before the
# others: in Python, completions cost uring more than the system calls that it saves.
BEST_FIRST = ("epoll", "uring", "poll", "select")


def load(name: str) -> Model:
    """The model of that name. Only now is its module imported: asyncio alone takes megabytes."""
    return cast("Model", import_module(f"{__name__}.{name}"))


def best() -> str:
    """The name of the first model, best first, that can run here."""
    return next(name for name in BEST_FIRST if load(name).unavailable() is None)
