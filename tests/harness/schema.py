"""As much of JSON Schema as the project's own schemas use; a keyword beyond that is an error.

The checks need no validator for it. What this one takes and msgspec does not, or the other way
round, is a mistake of the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}

# What a limit says of a value; it says nothing of values that it is not about.
LIMITS: Mapping[str, tuple[type, Callable[[Any, Any], bool]]] = {
    "pattern": (str, lambda value, pattern: re.search(pattern, value) is not None),
    "minLength": (str, lambda value, least: len(value) >= least),
    "minItems": (list, lambda value, least: len(value) >= least),
    "minimum": (object, lambda value, least: value >= least),
    "maximum": (object, lambda value, most: value <= most),
    "exclusiveMinimum": (object, lambda value, bound: value > bound),
    "exclusiveMaximum": (object, lambda value, bound: value < bound),
}
NO_CHECK = {"$schema", "$comment", "$defs", "title", "description", "default"}


class Validator:
    """Whether values fit a schema."""

    def __init__(self, page: str) -> None:
        self.schema: Schema = json.loads(page)

    def fits(self, value: Any, schema: Schema | None = None) -> bool:
        schema = self.schema if schema is None else schema
        return all(self._holds(word, argument, value, schema) for word, argument in schema.items())

    def _holds(self, word: str, argument: Any, value: Any, schema: Schema) -> bool:
        if word == "type":
            return TYPES[argument](value)
        if word == "enum":
            return value in argument and type(value) in map(type, argument)
        if word == "$ref":
            return self.fits(value, self.schema["$defs"][argument.removeprefix("#/$defs/")])
        if word == "anyOf":
            return any(self.fits(value, one) for one in argument)
        if word == "required":
            return not isinstance(value, dict) or all(name in value for name in argument)
        if word == "items":
            return not isinstance(value, list) or all(self.fits(one, argument) for one in value)
        if word == "properties":
            return not isinstance(value, dict) or all(
                self.fits(one, argument[name]) for name, one in value.items() if name in argument
            )
        if word == "additionalProperties":
            others = value.keys() - schema.get("properties", {}) if isinstance(value, dict) else ()
            return all(
                argument is not False and self.fits(value[name], argument) for name in others
            )
        if word in LIMITS:
            kind, holds = LIMITS[word]
            # The type beside it refuses what a limit is not about.
            return (
                not isinstance(value, kind)
                or not TYPES[schema["type"]](value)
                or holds(value, argument)
            )
        assert word in NO_CHECK, f"{word} is not known to this validator"
        return True
