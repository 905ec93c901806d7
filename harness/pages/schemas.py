"""`docs/*.schema.json`: the types of manifests and results, for editors and other programs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from iolab.harness.report.results import Results
from iolab.harness.subject.form import Manifest

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What starts it: `manifest.load` says the same.
_MANIFEST = Annotated[
    Manifest, Meta(extra_json_schema={"anyOf": [{"required": [f]} for f in ("command", "image")]})
]


def manifest() -> str:
    """The schema of a manifest, as an editor for TOML wants it."""
    return _page("Manifest of a server under test", _without_null(msgspec.json.schema(_MANIFEST)))


def results() -> str:
    """The schema of what `--results` writes."""
    return _page("Results of a run of iolab", msgspec.json.schema(Results))


def _page(title: str, schema: dict[str, Any]) -> str:
    page = {
        "$schema": DIALECT,
        "title": title,
        "$comment": "Made by `python -m iolab docs`; do not edit.",
        **schema,
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


def _without_null(schema: Any) -> Any:
    """TOML has no null, so that a field which may be None is one that may be left out."""
    if isinstance(schema, list):
        return [_without_null(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: _without_null(one) for name, one in schema.items()}
    if kept.get("default", ...) is None:
        del kept["default"]
    forms = [form for form in kept.get("anyOf", []) if form != {"type": "null"}]
    if len(forms) == 1:
        del kept["anyOf"]
        return forms[0] | kept
    return kept
