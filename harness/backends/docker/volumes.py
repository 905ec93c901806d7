"""A manifest's `files`, copied into a volume of the run: the engine may be on another machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from docker import DockerClient

from iolab.harness.backends.docker import containers
from iolab.harness.backends.docker.engine import explained

NOT_COPIED = {"__pycache__", ".git", ".venv"}
READABLE = 0o444
SEARCHABLE = 0o555


def pack(folder: Path) -> tuple[bytes, str]:
    """The folder as an archive that any user may read, and a hash of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if NOT_COPIED & set(path.relative_to(folder).parts):
                continue
            member = archive.gettarinfo(path, path.relative_to(folder).as_posix())
            member.mode |= SEARCHABLE if path.is_dir() else READABLE
            member.uid = member.gid = 0
            if member.isreg():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()[:12]


def fill(
    client: DockerClient, name: str, labels: Mapping[str, str], image: str, archive: bytes
) -> None:
    """Make a volume that holds what the archive does.

    Only a container can be copied into, so one is made, never started, and removed.
    """
    with explained(f"volume {name}"):
        client.volumes.create(name, labels=dict(labels))
        helper = containers.create(
            client, image, f"{name}-fill", labels, volumes={name: {"bind": "/files", "mode": "rw"}}
        )
        try:
            helper.put_archive("/files", archive)
        finally:
            containers.remove(helper)
