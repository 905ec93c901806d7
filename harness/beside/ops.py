"""What an op of the probe is made of: a handler, the reply it gives now or later, and its errors.

A part of the probe (the witness, the spawner, the wire) offers its ops as a mapping from names to
handlers. A handler gets the request as parsed and returns the results; one that has to wait for
something returns a `Reply` instead and calls it when it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iolab.client.fields import Invalid

Request = Mapping[str, Any]
Results = dict[str, Any]
Emit = Callable[[dict[str, Any]], None]
"""Sends an unasked event: a dict with `event`; `t` is added unless it is there."""


class RequestError(Exception):
    """The answer `ok: false`: one line for a person.

    `results` go into the answer beside `error` (for example `timeout` and `last`; or `field`, where
    one of the request's is to blame).
    """

    def __init__(self, message: str, **results: Any) -> None:
        super().__init__(message)
        self.results = results


def refusal(error: Invalid) -> RequestError:
    """The answer to a request with a field that is wrong: it carries `field` and `allowed`."""
    carried = {"field": error.field, "allowed": error.allowed}
    return RequestError(str(error), **{name: it for name, it in carried.items() if it is not None})


class Reply:
    """An answer that is given later, once: `reply(results)` or `reply.fail(RequestError(…))`."""

    def __init__(self) -> None:
        self._deliver: Callable[[Results | RequestError], None] | None = None
        self._outcome: Results | RequestError | None = None

    def __call__(self, results: Results) -> None:
        """Answer `ok: true` with these results."""
        self._settle(results)

    def fail(self, error: RequestError) -> None:
        """Answer `ok: false`."""
        self._settle(error)

    def deliver_to(self, deliver: Callable[[Results | RequestError], None]) -> None:
        """For the dispatcher: where the outcome goes, at once if it is already known."""
        self._deliver = deliver
        if self._outcome is not None:
            deliver(self._outcome)

    def _settle(self, outcome: Results | RequestError) -> None:
        if self._outcome is not None:
            raise RuntimeError("a request was answered twice")
        self._outcome = outcome
        if self._deliver is not None:
            self._deliver(outcome)


Handler = Callable[[Request], Results | Reply]
"""Raises RequestError or Invalid for what it refuses, before anything was changed."""
