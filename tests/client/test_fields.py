"""Fields from outside: read by their kinds, refused by name with what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from iolab.client import fields
from iolab.client.fields import Count, Fields, Flag, Invalid, Kind, read


@dataclass(frozen=True)
class Thing:
    """A table of two fields, and one that is given apart."""

    number: str
    count: Count
    loud: Flag | None = None

    def __post_init__(self) -> None:
        if self.loud and not self.count:
            raise Invalid("`loud` needs a `count` above 0")


WRONG: list[tuple[Kind[Any], object, str]] = [
    (fields.COUNT, True, "a whole number, 0 or more, not True"),
    (fields.COUNT, -1, "a whole number, 0 or more, not -1"),
    (fields.PORT, 0, "a port from 1 to 65535, not 0"),
    (fields.PORT, 65536, "a port from 1 to 65535, not 65536"),
    (fields.whole(1, 3), 4, "a whole number from 1 to 3, not 4"),
    (fields.SECONDS, float("inf"), "seconds, 0 or more, not inf"),
    (fields.SECONDS, float("nan"), "seconds, 0 or more, not nan"),
    (fields.SECONDS, True, "seconds, 0 or more, not True"),
    (fields.FLAG, 1, "true or false, not 1"),
    (fields.TEXT, 7, "a text, not 7"),
    (fields.WORDS, "ls", "a list of texts, one at least, not 'ls'"),
    (fields.WORDS, [], "a list of texts, one at least, not []"),
    (fields.TEXTS, {"A": 1}, "a table of texts, not {'A': 1}"),
    (fields.COUNTS, [1, "2"], "a list of whole numbers, not [1, '2']"),
    (fields.one_of("a", "b"), ["a"], '"a" or "b", not [\'a\']'),
    (fields.one_of("a", "b", "c", "d"), "e", "one of a, b, c, d, not 'e'"),
    (fields.some_of("a", "b"), ["c"], "a list of some of a, b, not ['c']"),
    (fields.some_of("a", "b"), "ab", "a list of some of a, b, not 'ab'"),
    (fields.TEXT, [0] * 99, f"a text, not {'[' + '0, ' * 18}0,…"),
]


@pytest.mark.parametrize(("kind", "value", "told"), WRONG)
def test_what_a_kind_refuses_is_told_with_its_field(
    kind: Kind[Any], value: object, told: str
) -> None:
    with pytest.raises(Invalid) as error:
        Fields({"it": value}, "here", at="a.b").take("it", kind)
    assert str(error.value) == f"here: `a.b.it` must be {told}"
    assert (error.value.field, error.value.allowed) == ("a.b.it", kind.allowed)


def test_what_is_null_was_left_out() -> None:
    taken = Fields({"one": None, "two": None})
    assert taken.take("one", fields.TEXT, "otherwise") == "otherwise"
    with pytest.raises(Invalid, match=r"^`two` is missing; it is a text$"):
        taken.take("two", fields.TEXT)


def test_what_nobody_took_is_refused() -> None:
    taken = Fields({"one": "", "tow": ""})
    taken.take("one", fields.TEXT)
    taken.take("two", fields.TEXT, None)
    with pytest.raises(Invalid, match=r"^`tow` is no field of it; allowed: one, two$") as error:
        taken.end()
    assert error.value.field == "tow"


def test_a_table_becomes_a_dataclass() -> None:
    assert read(Thing, {"count": 1, "loud": None}, "here", number="7") == Thing("7", 1)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ([], "here: must be a table, not []"),
        ({}, "here: `count` is missing; it is a whole number, 0 or more"),
        ({"cuont": 1}, "here: `cuont` is no field of it; allowed: count, loud"),
        ({"number": "8", "count": 1}, "here: `number` is no field of it; allowed: count, loud"),
        ({"count": 0, "loud": True}, "here: `loud` needs a `count` above 0"),
    ],
)
def test_a_table_that_is_no_such_thing_is_refused(table: object, told: str) -> None:
    with pytest.raises(Invalid) as error:
        read(Thing, table, "here", number="7")
    assert str(error.value) == told


def test_a_kind_is_found_in_an_annotation_of_an_annotation() -> None:
    @dataclass
    class Other:
        it: Annotated[int | None, fields.PORT] = None

    assert read(Other, {"it": 7}).it == 7
    with pytest.raises(Invalid, match=r"^`it` must be a port"):
        read(Other, {"it": 0})
