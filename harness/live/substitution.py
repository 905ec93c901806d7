"""Variables in compose.yaml, put in as Compose does it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from iolab.harness.errors import UsageError

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|(?P<plain>[A-Za-z_]\w*)"
    r"|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<rule>:?[-?])(?P<rest>[^}]*))?\})?"
)


def substitute(text: str, variables: Mapping[str, str], where: str) -> str:
    """The text with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced.

    A variable without a value and a default becomes empty. With a colon, an empty value counts as
    none. `$$` is a dollar. UsageError, opened by `where`, for anything else behind a dollar, and
    for a variable that must have a value.
    """

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["plain"] or match["braced"]
        if name is None:
            raise UsageError(f"{where}: behind $ comes NAME, {{NAME}}, {{NAME:-default}} or $")
        rule, found = match["rule"] or "", variables.get(name)
        if found is not None and not (found == "" and rule.startswith(":")):
            return found
        if rule.endswith("?"):
            raise UsageError(f"{where}: {name} must be set: {match['rest'] or 'it has no default'}")
        return match["rest"] or ""

    return _VARIABLE.sub(value, text)
