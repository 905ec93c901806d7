"""An environment outside the checkout with the built wheel in it, and an ordinary user of it.

What iolab depends on is not installed anew, which would take a minute and a registry: the
environment also sees the packages of the one that runs the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from iolab.harness.places import ROOT

NOBODY = 65534
WITHIN_S = 120.0

# What a user's folder may hold, and what would break us if it were taken for ours.
TRAP = 'raise SystemExit(f"{__file__} was imported")\n'
TRAPS = ("server.py", "client.py", "socket.py", "queue.py", "conftest.py", "tests/__init__.py")
SETTINGS = "[pytest]\naddopts = --no-such-option\n"

ECHO = """
import asyncio, sys

async def serve(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()

async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]), limit=1 << 20)
    async with server:
        await server.serve_forever()

asyncio.run(main())
"""

MANIFEST = """
name = "mine"
command = ["python3", "echo.py", "{host}", "{port}"]
files = "mine"
port = 9000
protocol = "line"
[promises]
max_message = 65536
half_close = true
"""


class Environment:
    """A virtual environment that has iolab as a wheel brings it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        """Make it; the test is skipped where no Python is there for the user to run."""
        self.folder = folder / "env"
        self.python = self.folder / "bin" / "python"
        self.command = self.folder / "bin" / "iolab"
        self._home = folder / "home"
        self._home.mkdir()
        subprocess.run([_python(), "-m", "venv", "--without-pip", self.folder], check=True)
        self.pip("install", "--quiet", "--no-deps", "--no-index", str(wheel))
        [self.package] = self.folder.glob("lib/python3*/site-packages/iolab")
        ours = sysconfig.get_path("purelib")
        (self.package.parent / "lent.pth").write_text(f"{ours}\n")
        give([self._home])
        known = self.run(str(self.python), "-c", "import docker, pytest", cwd=folder)
        if known.returncode:
            pytest.skip(f"an ordinary user cannot import what is in {ours}: {known.stderr}")

    def pip(self, *arguments: str) -> str:
        """What the pip that runs the tests says, of this environment."""
        words = [sys.executable, "-m", "pip", "--python", str(self.python), *arguments]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def iolab(self, *arguments: str, cwd: Path, groups: Iterable[int] = ()) -> str:
        """What `iolab` says, as the user runs it there; AssertionError unless it ends with 0."""
        done = self.run(str(self.command), *arguments, cwd=cwd, groups=groups)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(
        self, *command: str, cwd: Path, groups: Iterable[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """A command as an ordinary user: nobody, where root runs the tests."""
        kept = ("PATH", "LANG", "DOCKER_HOST", "BASE_IMAGE")
        return subprocess.run(
            [*_as_nobody(groups), *command],
            cwd=cwd,
            env={
                **{name: os.environ[name] for name in kept if name in os.environ},
                "HOME": str(self._home),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    def files(self) -> dict[str, tuple[int, int]]:
        """Everything below site-packages, with sizes and times of the last change (ns)."""
        found = {}
        for path in sorted(self.package.parent.rglob("*")):
            about = path.stat()
            found[str(path)] = about.st_size, about.st_mtime_ns
        return found

    def close_to_the_user(self, closed: bool) -> None:
        """Whether the user may not write into it."""
        if os.geteuid() == 0:
            give([self.folder, *self.folder.rglob("*")], to=0 if closed else NOBODY)
        else:
            for path in [self.package, *self.package.rglob("*")]:
                path.chmod(path.stat().st_mode & ~0o222 if closed else path.stat().st_mode | 0o200)


def build(folder: Path) -> Path:
    """The wheel, built from the checkout."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def users_folder(folder: Path) -> Path:
    """A folder with a server, its manifest, and everything that could be mistaken for ours."""
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "echo.py").write_text(ECHO)
    (folder / "mine.toml").write_text(MANIFEST)
    (folder / "pytest.ini").write_text(SETTINGS)
    for name in TRAPS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(TRAP)
    give([folder, *folder.rglob("*")])
    return folder


def give(paths: Iterable[Path], to: int = NOBODY) -> None:
    """Let them be the user's, where that is somebody else."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, to, to, follow_symlinks=False)


def _as_nobody(groups: Iterable[int] = ()) -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv, by which root becomes an ordinary user, is not installed")
    several = ",".join(map(str, groups))
    also = f"--groups={several}" if several else "--clear-groups"
    # setpriv itself may still run what only root may; env is nobody already.
    return "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", also, "env"


def _python() -> str:
    """A Python like ours, which the user may run: ours may be in root's own folder."""
    ours = "{}.{}".format(*sys.version_info)
    asks = "import sys; print('{}.{}'.format(*sys.version_info))"
    for python in (os.path.realpath(sys.executable), f"/usr/bin/python{ours}"):
        asked = subprocess.run([*_as_nobody(), python, "-c", asks], capture_output=True, text=True)
        if asked.stdout.strip() == ours:
            return python
    pytest.skip(f"there is no Python {ours} that an ordinary user may run")
