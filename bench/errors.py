"""What can go wrong with a measurement."""

from __future__ import annotations


class Failure(Exception):
    """A contestant or the load client did not do its part: one line that says who and what."""
