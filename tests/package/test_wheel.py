"""What a wheel brings, used by an ordinary user outside the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from iolab.harness.backends import identity
from iolab.harness.cli.main import COMMANDS
from iolab.harness.places import ROOT
from tests.backends.conftest import usable
from tests.package.environment import Environment, build, give, users_folder

IMAGES = ("server", "client", "probe")
FEW = "connect.one or disconnect.fin-idle"


@pytest.fixture(scope="module")
def outside() -> Iterator[Path]:
    """A folder outside the checkout, which everybody may look into; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="iolab-package-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def environment(outside: Path) -> Environment:
    return Environment(outside, build(outside / "dist"))


@pytest.fixture
def mine(outside: Path, request: pytest.FixtureRequest) -> Path:
    """The user's folder, a new one for each test."""
    return users_folder(outside / re.sub(r"\W+", "-", request.node.name))


def needs(name: str) -> None:
    """Skip the test where that backend does not work, or fail it where it has to."""
    usable(name, identity.new_id()).close()


def socket_group() -> Sequence[int]:
    """The group that may use the engine."""
    socket = Path("/var/run/docker.sock")
    return [socket.stat().st_gid] if socket.exists() else []


def test_nothing_lands_outside_the_package(environment: Environment) -> None:
    said = environment.pip("show", "-f", "iolab")
    files = [line.strip() for line in said.partition("Files:\n")[2].splitlines()]
    assert "iolab/harness/conftest.py" in files
    others = [file for file in files if not re.match(r"iolab(-[\d.]+\.dist-info)?/", file)]
    assert others == ["../../../bin/iolab"]


@pytest.mark.parametrize("folder", ["client", "docker", "harness", "server", "subjects"])
def test_it_carries_what_the_checkout_has(environment: Environment, folder: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip(f"not a checkout of git: {listed.stderr}")
    for name in listed.stdout.split():
        if (ROOT / name).exists():
            assert (environment.package / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_help_shows_every_command(environment: Environment, mine: Path) -> None:
    said = environment.iolab("--help", cwd=mine)
    shown = [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
    assert shown == [name for name, command in COMMANDS.items() if not command.makes_docs]


@pytest.mark.parametrize(
    "name", [name for name, command in COMMANDS.items() if not command.makes_docs]
)
def test_each_command_has_a_usage(environment: Environment, mine: Path, name: str) -> None:
    assert environment.iolab(name, "--help", cwd=mine).startswith(f"usage: iolab {name} ")


@pytest.mark.parametrize("name", ["docs", "pictures"])
def test_what_a_checkout_alone_has_is_said_in_one_line(
    environment: Environment, mine: Path, name: str
) -> None:
    done = environment.run(str(environment.command), name, cwd=mine)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"iolab: {name}: .* checkout .*\n", done.stderr)


def test_it_has_the_same_catalogue(environment: Environment, mine: Path) -> None:
    ours = subprocess.run(
        [sys.executable, "-m", "iolab", "list"], cwd=ROOT, capture_output=True, text=True
    )
    assert environment.iolab("list", cwd=mine) == ours.stdout


@pytest.mark.parametrize("closed", [False, True], ids=["writable", "read-only"])
def test_scenarios_without_an_engine(environment: Environment, mine: Path, closed: bool) -> None:
    needs("namespaces")
    environment.close_to_the_user(closed)
    before = environment.files()
    # pytest's options are all there, wherever they stand.
    said = environment.iolab(
        *("test", "--backend", "namespaces", "mine.toml", "-k", FEW, "--results", "mine.json"),
        cwd=mine,
    )
    assert "3 playings, 6 verdicts: 6 OK" in said
    assert environment.files() == before
    made = {path.name for path in mine.iterdir()} - {"mine", "mine.toml", "pytest.ini"}
    assert {"runs", "mine.json"} <= made
    [run] = (mine / "runs").iterdir()
    assert "reply OK" in environment.iolab("judge", str(run), cwd=mine)


def test_scenarios_on_docker(environment: Environment, mine: Path) -> None:
    needs("docker")
    before = environment.files()
    said = environment.iolab(
        *("test", "mine.toml", "--backend", "docker", "-k", FEW), cwd=mine, groups=socket_group()
    )
    assert "3 playings, 6 verdicts: 6 OK" in said
    assert environment.files() == before


def test_the_same_files_make_the_same_images(environment: Environment, mine: Path) -> None:
    needs("docker")
    theirs = environment.run(
        str(environment.command), "images", cwd=mine, groups=socket_group()
    ).stderr
    ours = subprocess.run(
        [sys.executable, "-m", "iolab", "images"], cwd=ROOT, capture_output=True, text=True
    ).stderr
    # The server's holds the wheels that this checkout's set-up has brought, too.
    same = ["client", "probe"] if any(ROOT.glob("docker/wheels/*.whl")) else [*IMAGES]
    for name in same:
        image = re.compile(rf"^iolab/{name} +([0-9a-f]{{12}})$", re.MULTILINE)
        assert image.findall(theirs) == image.findall(ours) != []


def test_the_live_lab_of_our_own_server(environment: Environment, mine: Path) -> None:
    needs("namespaces")
    before = environment.files()
    said = environment.iolab("lab", "--duration", "3", "--backend", "namespaces", cwd=mine)
    assert "`iolab client` in another terminal takes part" in said
    assert environment.files() == before


def test_a_folder_that_may_not_be_written_to(environment: Environment, outside: Path) -> None:
    closed = users_folder(outside / "closed")
    give([closed], to=0)
    closed.chmod(0o555)
    done = environment.run(
        *(str(environment.command), "test", "mine.toml", "--backend", "processes"), cwd=closed
    )
    assert done.returncode == 2
    assert f"iolab: {closed}/runs: what is observed cannot be kept there: " in done.stdout
    if os.geteuid():
        closed.chmod(0o755)
