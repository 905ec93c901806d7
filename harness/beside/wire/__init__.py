"""The wire: the subject's packets, watched and decided on one by one. Standard library only."""

from iolab.harness.beside.wire.wire import Wire

__all__ = ["Wire"]
