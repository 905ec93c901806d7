"""compose.yaml: what is honoured, and how what is not honoured is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from iolab.client.script import names
from iolab.harness.errors import UsageError
from iolab.harness.live import definition
from iolab.harness.places import COMPOSE

TEXT = COMPOSE.read_text(encoding="utf-8")


def load(folder: Path, text: str, **variables: str) -> definition.Definition:
    path = folder / "compose.yaml"
    path.write_text(text, encoding="utf-8")
    return definition.load(path, variables)


def test_the_file_of_the_project() -> None:
    found = definition.load(COMPOSE, {})
    assert found.server.model == "select"
    assert found.server.reply == "echo"
    assert found.server.port == 8001
    assert "--idle-timeout=15" in found.server.arguments
    assert not any("port" in word or "host" in word for word in found.server.arguments)
    assert len(found.clients) >= 6
    assert {client.script for client in found.clients} <= set(names())
    assert all(client.count == 1 and "--forever" in client.options for client in found.clients)


def test_variables_choose(tmp_path: Path) -> None:
    found = load(tmp_path, TEXT, MODEL="epoll", CLIENTS="12", REPLY="upper")
    assert (found.server.model, found.server.reply) == ("epoll", "upper")
    assert {client.count for client in found.clients} == {12}
    assert all("--reply=upper" in client.options for client in found.clients)


def test_a_service_of_a_profile_takes_no_part(tmp_path: Path) -> None:
    assert "prompt:" in TEXT
    assert "prompt" not in [client.name for client in load(tmp_path, TEXT).clients]


def test_what_the_server_is_given(tmp_path: Path) -> None:
    text = TEXT.replace(
        "    stdin_open: true\n\n  # The clients.",
        "    stdin_open: true\n    cpus: 0.5\n    tmpfs: [/tmp]\n    cap_add: [NET_RAW]\n"
        "    environment: {COLOUR: blue}\n\n  # The clients.",
    )
    server = load(tmp_path, text).server
    assert server.cpus == 0.5
    assert server.writable == ("/tmp",)
    assert server.capabilities == ("NET_RAW",)
    assert server.environment == {"COLOUR": "blue"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    depends_on: [probe]",
            "    depends_on: [probe]\n    privileged: true",
            "services.server.privileged: is not a key that a lab honours; known are build, cap_add",
        ),
        (
            "    init: true",
            "    init: true\n    ports: [8001]",
            "services.probe.ports: is not a key that a lab honours; known are ",
        ),
        ("x-hardened:", "volumes: {}\nx-hardened:", "volumes: is not a key that a lab honours"),
        (
            "  read_only: true",
            "  read_only: false",
            "services.probe.read_only: must be true, as it is in every lab",
        ),
        (
            "cap_drop: [ALL]",
            "cap_drop: [NET_RAW]",
            "services.probe.cap_drop: must be [ALL], as it is in every lab",
        ),
        (
            "internal: true",
            "internal: false",
            "networks.lab.internal: must be true: a lab has no way out",
        ),
        (
            "      dockerfile: docker/server.Dockerfile",
            "      dockerfile: Dockerfile",
            "services.server.build.dockerfile: must be one of docker/server.Dockerfile, ",
        ),
        (
            "      dockerfile: docker/probe.Dockerfile",
            "      dockerfile: docker/client.Dockerfile",
            "services.probe.cap_add: is not a key that a lab honours",
        ),
        ("--port=8001", "--port=no", "services.server.command: --port must be from 1 to 65535"),
        (
            "    stdin_open: true\n\n  # The clients.",
            "    cpus: many\n\n  # The clients.",
            "services.server.cpus: must be a number of CPUs such as 0.5, not many",
        ),
        (
            "[play, steady, server, ",
            "[play, steady, elsewhere, ",
            "services.steady.command: must go to probe or server, port 8001; not to elsewhere",
        ),
        (
            'steady, server, "8001"',
            'steady, server, "80"',
            "services.steady.command: must go to probe or server, port 8001; not to server, 80",
        ),
        (
            "[play, steady,",
            "[agent, steady,",
            "services.steady.command: must begin: play SCRIPT HOST PORT; not 'agent steady",
        ),
        ("  steady:", "  chatty:", "not valid YAML: chatty stands here twice"),
        ("services:", "services: [", "not valid YAML: "),
        ("${MODEL:-select}", "${MODEL-", "services.server.command: behind $ comes NAME"),
    ],
)
def test_what_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(UsageError) as raised:
        load(tmp_path, TEXT.replace(old, new, 1))
    assert str(raised.value).startswith("compose.yaml: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("count", ["0", "-1", "many", "20000"])
def test_how_many_clients_there_can_be(tmp_path: Path, count: str) -> None:
    with pytest.raises(UsageError, match=r"--count \(CLIENTS\) must be from 1 to 19000, not"):
        load(tmp_path, TEXT, CLIENTS=count)


def test_there_is_one_server(tmp_path: Path) -> None:
    second = "services:\n  other:\n    build: {dockerfile: docker/server.Dockerfile}\n"
    with pytest.raises(UsageError, match="services: a lab has one server, not: other, server"):
        load(tmp_path, TEXT.replace("services:\n", second, 1))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^compose.yaml: cannot be read: No such file"):
        definition.load(tmp_path / "compose.yaml", {})


def test_a_file_without_services(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^compose.yaml: services: must be a mapping"):
        load(tmp_path, "networks: {lab: {internal: true}}")
