"""Errors that end a run with one clear line instead of a traceback."""

from __future__ import annotations


class UsageError(Exception):
    """What the user gave is wrong: one line that names the field or option and what is allowed.

    Ends a command with exit status 2.
    """
