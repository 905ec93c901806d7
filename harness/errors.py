"""Errors that end a run with one clear line instead of a traceback."""

from __future__ import annotations

STATUS_OF_BAD_INPUT = 2


class UsageError(Exception):
    """What the user gave is wrong: one line that names the field or option and what is allowed.

    Ends a command with STATUS_OF_BAD_INPUT.
    """
