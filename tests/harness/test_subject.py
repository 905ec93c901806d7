"""Manifests: what is wrong is told in one line that names the field and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import to_builtins

from iolab.harness.errors import UsageError
from iolab.harness.places import ROOT
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE
from iolab.harness.subject.manifest import Promises, load

SECONDS = "must be a number of seconds above 0"
COUNT = "must be a whole number above 0"
TEXTS = "must be a table of names and texts"
PATHS = "must be a list of absolute paths in the container"
CAPABILITIES = 'must be a list of names like "NET_BIND_SERVICE"'
USER = 'must be "UID" or "UID:GID", in digits'

GOOD = {"name": '"mine"', "port": "9000", "command": '["server"]'}

WRONG_FIELDS = [
    ("name", '"two words"', "must be letters, digits, '.', '_' and '-', not 'two words'"),
    ("name", '"../up"', "must be letters, digits, '.', '_' and '-', not '../up'"),
    ("name", '"mine\\n"', r"must be letters, digits, '.', '_' and '-', not 'mine\n'"),
    ("name", "7", "must be letters, digits, '.', '_' and '-', not 7"),
    ("port", "0", "must be a whole number from 1 to 65535, not 0"),
    ("port", "65536", "must be a whole number from 1 to 65535, not 65536"),
    ("port", '"9000"', "must be a whole number from 1 to 65535, not '9000'"),
    ("port", "true", "must be a whole number from 1 to 65535, not True"),
    ("title", "7", "must be a text, not 7"),
    ("command", '"server --port 9000"', "must be a list of words, like ['server', '--port',"),
    ("command", "[]", "must be a list of words, the program first"),
    ("command", '["server", 9000]', "must be a list of words, the program first"),
    ("command", '["server", "{prot}"]', "{prot} is not known; {host} and {port} are"),
    ("image", "[]", "must be the name of an image, not []"),
    ("files", "7", "must be a folder, relative to the manifest"),
    ("files", '"nowhere"', "must be a folder, relative to the manifest: no folder "),
    ("protocol", '"http"', "must be \"line\", not 'http'"),
    ("environment", '["A=1"]', f"{TEXTS}, not ['A=1']"),
    ("user", '"root"', f"{USER}, not 'root'"),
    ("user", "1000", f"{USER}, not 1000"),
    ("writable", '"/tmp"', f"{PATHS}, not '/tmp'"),
    ("writable", '["tmp"]', f"{PATHS}, not ['tmp']"),
    ("capabilities", '["net_raw"]', f"{CAPABILITIES}, not ['net_raw']"),
    ("seccomp", "7", "must be a seccomp profile in JSON, relative to the manifest"),
    ("start_s", "0", f"{SECONDS}, not 0"),
    ("start_s", "true", f"{SECONDS}, not True"),
    ("start_s", "inf", f"{SECONDS}, not inf"),
    ("start_s", "nan", f"{SECONDS}, not nan"),
    ("promises", "7", "must be a table"),
    ("nature", "7", "must be a table"),
    ("expected", '"cleanup"', "must be a table like "),
    ("prot", '"line"', "is not a field; known are: capabilities, command, environment, "),
]

WRONG_PROMISES = [
    ("idle_timeout_s", "0", f"{SECONDS}, not 0"),
    ("detect_vanished_s", '"2"', f"{SECONDS}, not '2'"),
    ("message_deadline_s", "-1", f"{SECONDS}, not -1"),
    ("max_message", "0", f"{COUNT}, not 0"),
    ("max_message", "1.5", f"{COUNT}, not 1.5"),
    ("half_close", '"yes"', "must be true or false, not 'yes'"),
    ("half_close", "1", "must be true or false, not 1"),
    ("graceful_stop_s", "true", f"{SECONDS}, not True"),
    ("unfinished_line", '"keep"', 'must be "drop" or "answer", not \'keep\''),
    ("invalid_utf8", "[]", 'must be "echo" or "close", not []'),
    ("max_connections", "0", f"{COUNT}, not 0"),
    ("idle_timeout", "2", "is not a field; known are: detect_vanished_s, graceful_stop_s, "),
]


def write(folder: Path, fields: dict[str, str], tables: str = "") -> Path:
    path = folder / "mine.toml"
    lines = [f"{name} = {value}" for name, value in fields.items()]
    path.write_text("\n".join([*lines, tables]) + "\n", encoding="utf-8")
    return path


def complaint(path: Path) -> str:
    """The one line that is told of the file, without the file's name."""
    with pytest.raises(UsageError) as error:
        load(path)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_a_small_manifest_promises_nothing(tmp_path: Path) -> None:
    subject = load(write(tmp_path, GOOD))
    assert (subject.name, subject.port, subject.command) == ("mine", 9000, ("server",))
    assert subject.promises == Promises()
    assert not any(to_builtins(subject.promises).values())


def test_a_full_manifest(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    more = {
        "title": '"Mine"',
        "command": '["server", "-b", "{host}:{port}"]',
        "files": '"src"',
        "protocol": '"line"',
        "environment": '{ LANG = "C" }',
        "user": '"1000:1000"',
        "writable": '["/var/run"]',
        "capabilities": '["NET_BIND_SERVICE"]',
        "start_s": "3",
    }
    promises = "\n".join(
        [
            "[promises]",
            "idle_timeout_s = 2",
            "half_close = false",
            "max_message = 1024",
            'unfinished_line = "drop"',
            "[nature]",
            'fails = { "slow.sender" = "reply: one at a time" }',
            "[expected]",
            '"disconnect.rst-idle" = "cleanup: CLOSE-WAIT"',
        ]
    )
    subject = load(write(tmp_path, {**GOOD, **more}, promises))
    assert subject.argv("::", 9001) == ["server", "-b", ":::9001"]
    assert subject.files == tmp_path / "src"
    assert subject.start_s == 3.0
    assert subject.takes_any_port
    assert subject.promises.half_close is False
    assert subject.nature.fails == {"slow.sender": ("reply", "one at a time")}
    assert subject.expected == {"disconnect.rst-idle": "cleanup: CLOSE-WAIT"}


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG_FIELDS)
def test_a_wrong_field_is_named(name: str, value: str, allowed: str, tmp_path: Path) -> None:
    told = complaint(write(tmp_path, {**GOOD, name: value}))
    assert told.startswith(f"{name}: {allowed}")


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG_PROMISES)
def test_a_wrong_promise_is_named(name: str, value: str, allowed: str, tmp_path: Path) -> None:
    told = complaint(write(tmp_path, GOOD, f"[promises]\n{name} = {value}"))
    assert told.startswith(f"promises.{name}: {allowed}")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("[environment]\nA = 1", "environment.A: must be a text, not 1"),
        ('[environment]\n"a.b" = []', 'environment."a.b": must be a text, not []'),
        ("[nature]\nfail = {}", "nature.fail: is not a field; known are: fails"),
        ("[nature]\nfails = 7", 'nature.fails: must be a table like "slow.sender" = "reply: the '),
        ("[promises.quic]", "promises.quic: is not a field; known are: detect_vanished_s, "),
    ],
)
def test_a_wrong_field_of_a_table_is_named_by_its_path(
    table: str, told: str, tmp_path: Path
) -> None:
    assert complaint(write(tmp_path, GOOD, table)).startswith(told)


@pytest.mark.parametrize("name", ["name", "port", "command"])
def test_a_missing_field_is_named(name: str, tmp_path: Path) -> None:
    told = complaint(write(tmp_path, {k: v for k, v in GOOD.items() if k != name}))
    assert told.startswith(f"{name}: is missing: ")


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (None, "No such file or directory"),
        ("{", "Expecting property name"),
        ("[]", "has no defaultAction"),
        ("{}", "has no defaultAction"),
    ],
)
def test_a_profile_that_is_none_is_named(profile: str | None, told: str, tmp_path: Path) -> None:
    if profile is not None:
        (tmp_path / "profile.json").write_text(profile)
    complaining = complaint(write(tmp_path, {**GOOD, "seccomp": '"profile.json"'}))
    assert complaining.startswith("seccomp: must be a seccomp profile in JSON, relative to the ")
    assert told in complaining


def test_an_image_stands_for_the_command(tmp_path: Path) -> None:
    subject = load(write(tmp_path, {"name": '"x"', "port": "80", "image": '"echo:1"'}))
    assert subject.image == "echo:1"
    assert subject.command == ()


@pytest.mark.parametrize(
    "value", ['"CLOSE-WAIT"', '"cleanup:"', '"cleanup:  "', '"speed: slow"', "7", "[]"]
)
@pytest.mark.parametrize("table", ["expected", "nature.fails"])
def test_what_fails_is_a_verdict_and_words(table: str, value: str, tmp_path: Path) -> None:
    told = complaint(write(tmp_path, GOOD, f'[{table}]\n"slow.sender" = {value}'))
    assert told.startswith(f'{table}."slow.sender": must be "reply: …" or "cleanup: …", not ')


def test_a_long_wrong_value_is_cut(tmp_path: Path) -> None:
    assert len(complaint(write(tmp_path, {**GOOD, "name": f'"{" " * 5000}"'}))) < 200


@pytest.mark.parametrize("data", [b"name = ", b"name = \xff", b"[[[", b"a = 1\na = 2\n"])
def test_what_is_no_toml(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    assert complaint(path).startswith("not valid TOML: ")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.toml") == "cannot be read: No such file or directory"
    assert complaint(tmp_path) == "cannot be read: Is a directory"


SHIPPED = sorted(
    path for folder in ("subjects", "gallery") for path in (ROOT / folder).rglob("*.toml")
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_manifest_that_is_shipped_loads(path: Path) -> None:
    load_catalogue()
    subject = load(path)
    assert subject.name == path.stem
    assert subject.title
    for label in subject.expected:
        id = label.split("/")[0].split(" ")[0]
        assert id in CATALOGUE, f"{path.name}: there is no scenario {label}"


def test_names_of_shipped_subjects_are_their_own() -> None:
    names = [load(path).name for path in SHIPPED]
    assert sorted(names) == sorted(set(names))
