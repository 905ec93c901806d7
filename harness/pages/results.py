"""`docs/results.md`: what `--results` writes, field by field, as the types have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from iolab.harness.judge import Level
from iolab.harness.report.results import Results

HEAD = """\
<!-- Made by `python -m iolab docs` from harness/report/results.py; do not edit. -->
# Results as JSON

`iolab test --results FILE.json` writes one object: the version of the format, the run, and a
record for each playing of a scenario. Every field is always there; `null` says that there is
nothing to say. The file is UTF-8, and appears whole at the end of the run.
[results.schema.json](results.schema.json) is its JSON Schema. JUnit (`--junitxml`) carries each
record as properties of its test, lists as JSON.
"""

LEVELS = """
**Levels**, from the lightest to the heaviest:

| level | meaning |
| --- | --- |
| `OK` | as expected |
| `INFORMATIONAL` | a policy choice, reported |
| `NON-STRICT` | allowed, not best |
| `UNSUPPORTED` | not promised by the manifest, or not possible on this backend; both verdicts then |
| `UNKNOWN` | the fault or circumstance was not shown, or the harness was too slow to judge, or it broke off; never a pass |
| `FAILED` | with the evidence |
| `FAILED (by nature)` | only in `reply` and `cleanup`: it failed as the manifest says it must |
"""  # noqa: E501


Schema = Mapping[str, Any]

_PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def page() -> str:
    """The whole page."""
    schema = msgspec.json.schema(Results)
    tables = (_table(name, table) for name, table in schema["$defs"].items() if _is_table(table))
    return HEAD + "".join(tables) + LEVELS


def _is_table(schema: Schema) -> bool:
    return "properties" in schema


def _table(name: str, schema: Schema) -> str:
    rows = [
        f"| `{field}` | {_type(what)} | {_meaning(what)} |"
        for field, what in schema["properties"].items()
    ]
    head = "| field | type | meaning |\n| --- | --- | --- |\n"
    return f"\n## {name}\n{schema['description']}\n\n{head}" + "\n".join(rows) + "\n"


def _meaning(schema: Schema) -> str:
    return str(schema.get("description", "See below."))


def _type(schema: Schema) -> str:
    """A field's type in words; a table is a link to its section."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "level" if name == "Level" else f"[{name}](#{name.lower()})"
    if "enum" in schema:
        words = schema["enum"]
        return "level" if Level.OK in words else " or ".join(f"`{word}`" for word in words)
    if "anyOf" in schema:
        kinds = [_type(one) for one in schema["anyOf"]]
        # A whole number is a number.
        return " or ".join(
            kind for kind in kinds if kind != "whole number" or "number" not in kinds
        )
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "object":
        return f"table of {_type(schema['additionalProperties'])}"
    return _PLAIN[schema["type"]]
