"""Parts of the Docker backend that need no engine."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from iolab.harness.backends.base import BackendUnavailable
from iolab.harness.backends.docker import engine, volumes
from iolab.harness.backends.docker.containers import Address
from iolab.harness.backends.docker.processes import as_status


def test_any_user_may_read_a_subjects_files(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)
    with tarfile.open(fileobj=io.BytesIO(volumes.pack(tmp_path)[0])) as archive:
        assert archive.getmember("secret").mode == 0o644


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_an_engine_that_is_not_there_is_told_in_one_line(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(BackendUnavailable, match="nothing listens there; start the Docker") as told:
        engine.connect()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("code", "status"), [(0, 0), (1, 1), (128, 128), (137, -9), (255, 255)])
def test_exit_codes_in_the_contracts_terms(code: int, status: int) -> None:
    assert as_status(code) == status


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("python", ("python", "latest")),
        ("python:3-slim", ("python", "3-slim")),
        ("host:5000/my/echo", ("host:5000/my/echo", "latest")),
        ("host:5000/my/echo:1", ("host:5000/my/echo", "1")),
    ],
)
def test_an_images_name_in_two_parts(name: str, parts: tuple[str, str]) -> None:
    assert engine.repository_and_tag(name) == parts


def test_an_address_keeps_its_hardware_address() -> None:
    assert Address({4: "10.91.7.2"}).mac == "02:42:0a:5b:07:02"
