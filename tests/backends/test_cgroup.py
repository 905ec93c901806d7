"""Where control groups are made with version 2, which this machine may not have: on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from iolab.harness.backends.base import BackendError
from iolab.harness.backends.namespaces import cgroup
from iolab.harness.backends.namespaces.cgroup import Groups, Home


def hierarchy(tmp_path: Path, handed_on: dict[str, str]) -> None:
    """Groups as version 2 shows them: by path, what each hands on."""
    for path, controllers in handed_on.items():
        folder = tmp_path / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.subtree_control").write_text(f"{controllers}\n")


@pytest.mark.parametrize(
    ("handed_on", "home", "controllers"),
    [
        ({"root": "cpu memory", "root/own": ""}, "root", ["memory", "cpu"]),
        ({"root": "memory", "root/own": ""}, "root", ["memory"]),
        ({"root": "memory", "root/own": "memory cpu"}, "root/own", ["memory", "cpu"]),
        (
            {"root": "memory cpu", "root/slice": "memory", "root/slice/own": ""},
            "root/slice",
            ["memory"],
        ),
        ({"root": "", "root/own": ""}, None, []),
    ],
)
def test_the_nearest_group_that_hands_controllers_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    handed_on: dict[str, str],
    home: str | None,
    controllers: list[str],
) -> None:
    hierarchy(tmp_path, handed_on)
    own = tmp_path / list(handed_on)[-1]
    monkeypatch.setattr(cgroup, "_own_groups", lambda: {"": own})
    found = cgroup.homes()
    assert [each.controller for each in found] == controllers
    assert {each.folder for each in found} == ({tmp_path / home} if home else set())
    able, reasons = cgroup.usable()
    assert able == found
    assert set(reasons) == set(cgroup.CONTROLLERS) - set(controllers)


def test_version_1_is_preferred_where_it_has_the_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hierarchy(tmp_path, {"root": "memory cpu"})
    monkeypatch.setattr(
        cgroup, "_own_groups", lambda: {"": tmp_path / "root", "memory": tmp_path / "v1"}
    )
    assert cgroup.homes() == [
        Home("memory", 1, tmp_path / "v1"),
        Home("cpu", 2, tmp_path / "root"),
    ]


def test_limits_are_written_in_the_words_of_version_2(tmp_path: Path) -> None:
    groups = Groups("x", [Home("memory", 2, tmp_path), Home("cpu", 2, tmp_path)])
    assert groups.folders == [tmp_path / "x"]
    assert (tmp_path / "x" / "memory.max").read_text() == str(cgroup.MOST_MEMORY)
    groups.limit_cpus(0.25)
    assert (tmp_path / "x" / "cpu.max").read_text() == "25000 100000"
    groups.limit_cpus(None)
    assert (tmp_path / "x" / "cpu.max").read_text() == "max 100000"


def test_without_a_group_nothing_is_lifted_and_nothing_is_set() -> None:
    groups = Groups("x", [])
    groups.limit_cpus(None)
    groups.limit_memory(None)
    with pytest.raises(BackendError, match="no memory control group"):
        groups.limit_memory(1 << 30)
