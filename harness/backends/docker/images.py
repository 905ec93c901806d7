"""The images of server, client and probe: built once a run, found again by a content hash."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from docker import DockerClient
from docker.errors import ImageNotFound
from docker.models.images import Image

from iolab.harness.backends.docker import base_image
from iolab.harness.backends.docker.engine import ERRORS, EngineError, explain
from iolab.harness.places import ROOT
from iolab.harness.progress import Progress

IMAGE_LABEL = "iolab.image"

# For a client that builds: the engine is silent while it commits a layer on a slow disk.
TIMEOUT_S = 600

# What each Dockerfile copies, and nothing else: an image changes only when what it holds does.
CONTENTS: Mapping[str, tuple[str, ...]] = {
    "server": ("server", "docker/wheels"),
    "client": ("client",),
    "probe": ("client/__init__.py", "client/fields.py", "harness/beside"),
}


def ensure(client: DockerClient, progress: Progress) -> dict[str, str]:
    """Ids of the images by name, built where something changed, tagged `iolab/NAME:latest`.

    Raises BackendUnavailable when there is no base image, EngineError when a build fails.
    """
    bases = base_image.ensure(client, progress)

    def one(name: str) -> str:
        base = bases.probe_base if name == "probe" else bases.base
        context, digest = _context(name, base)
        tag = f"iolab/{name}:{digest}"
        try:
            image = client.images.get(tag)
        except ImageNotFound:
            progress.say(f"image iolab/{name}: building")
            _build(client, name, tag, base, context, progress)
            image = client.images.get(tag)
        image.tag(f"iolab/{name}", "latest")
        return str(image.id)

    with ThreadPoolExecutor(len(CONTENTS)) as pool:
        return dict(zip(CONTENTS, pool.map(one, CONTENTS), strict=True))


def remove_all(client: DockerClient) -> int:
    """Remove every image that the project made, and its names for those that it did not; how many.

    One that a container still uses stays, and raises EngineError.
    """
    made = client.images.list(all=True, filters={"label": IMAGE_LABEL})
    named = [image for image in client.images.list() if _our_names(image)]
    removed = 0
    for image in {image.id: image for image in (*named, *made)}.values():
        for name in _our_names(image) or [str(image.id)]:
            try:
                client.images.remove(name)
            except ImageNotFound:
                continue  # an intermediate layer that went with its image
            except ERRORS as error:
                raise EngineError(f"image {name}: {explain(error)}") from error
            removed += 1
    return removed


def _our_names(image: Image) -> list[str]:
    return [tag for tag in image.tags if tag.startswith("iolab/")]


def _context(name: str, base: str) -> tuple[bytes, str]:
    """The build's archive, the same bytes for the same files, and a hash of it and the base."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in _files(f"docker/{name}.Dockerfile", *CONTENTS[name]):
            member = tarfile.TarInfo(path.relative_to(ROOT).as_posix())
            content = path.read_bytes()
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    data = buffer.getvalue()
    return data, hashlib.sha256(base.encode() + data).hexdigest()[:12]


def _files(*names: str) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and "__pycache__" not in file.parts
            )
        else:
            yield path


def _build(
    client: DockerClient, name: str, tag: str, base: str, context: bytes, progress: Progress
) -> None:
    log: list[str] = []
    error = ""
    try:
        # Read to the end in any case: the connection is the SDK's until then.
        for event in client.api.build(
            fileobj=io.BytesIO(context),
            custom_context=True,
            dockerfile=f"docker/{name}.Dockerfile",
            buildargs={"BASE_IMAGE": base},
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            text = " ".join(str(event.get("stream") or event.get("status") or "").split())
            if text:
                log.append(text)
                progress.doing(f"iolab/{name}: {text}")
            error = error or " ".join(event.get("error", "").split())
    except ERRORS as failure:
        error = explain(failure)
    if error:
        raise EngineError(f"image iolab/{name}: {error} ({' | '.join(log[-3:])})")
