"""The schemas in docs/: they take what the types take, and describe it for who writes it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from iolab.harness.pages import schemas
from iolab.harness.places import ROOT
from iolab.harness.subject.form import Manifest
from tests.harness.schema import Validator

SHIPPED = sorted(
    path for folder in ("subjects", "gallery") for path in (ROOT / folder).rglob("*.toml")
)
MANIFEST = Validator(schemas.manifest())
GOOD = {"name": "mine", "port": 9000, "command": ["server"]}

WRONG: list[dict[str, Any]] = [
    {"name": "two words"},
    {"name": "mine\n"},
    {"port": "9000"},
    {"port": 65536},
    {"port": True},
    {"command": "server --port 9000"},
    {"command": []},
    {"title": ""},
    {"protocol": "http"},
    {"environment": {"A": 1}},
    {"user": "root"},
    {"writable": ["tmp"]},
    {"capabilities": ["net_raw"]},
    {"start_s": 0},
    {"start_s": 86_400},
    {"promises": {"idle_timeout": 2}},
    {"promises": {"max_message": 1.5}},
    {"promises": {"half_close": 1}},
    {"promises": {"unfinished_line": "keep"}},
    {"nature": {"fails": {"slow.sender": "speed: slow"}}},
    {"expected": {"slow.sender": "cleanup:  "}},
    {"prot": "line"},
]


def accepted(data: object) -> bool:
    try:
        msgspec.convert(data, Manifest)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_manifest_that_is_shipped_fits(path: Path) -> None:
    assert MANIFEST.fits(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("fields", WRONG, ids=json.dumps)
def test_a_wrong_manifest_does_not_fit(fields: dict[str, Any]) -> None:
    assert MANIFEST.fits(GOOD)
    assert not MANIFEST.fits(GOOD | fields)
    assert not accepted(GOOD | fields), "the schema and the check say the same"


@pytest.mark.parametrize("name", ["name", "port", "command"])
def test_a_manifest_without_what_it_needs_does_not_fit(name: str) -> None:
    assert not MANIFEST.fits({field: value for field, value in GOOD.items() if field != name})


def test_an_image_stands_for_the_command() -> None:
    assert MANIFEST.fits({"name": "x", "port": 80, "image": "echo:1"})


def test_an_editor_has_words_for_every_field_of_a_manifest() -> None:
    for name, table in MANIFEST.schema["$defs"].items():
        for field, what in table["properties"].items():
            told = what if "$ref" not in what else MANIFEST.schema["$defs"][name]
            assert told.get("description"), f"{name}.{field}"
        assert table["additionalProperties"] is False, f"{name}: a misspelt field is to be seen"


def test_a_manifest_has_no_null() -> None:
    assert "null" not in schemas.manifest(), "TOML has none"
