"""The wire: the subject's packets, watched and decided on one by one. Standard library only."""

from harness.wire.wire import Wire

__all__ = ["Wire"]
