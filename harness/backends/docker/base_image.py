"""The image that all others start from: Python 3.11 or newer, pulled or built here.

Three ways, in this order: the image that `BASE_IMAGE` names; `python:3-slim`, when a registry
answers at once; Debian's own packages, by `mmdebstrap` piped into the engine, which needs a mirror
of packages but no registry. What was made is tagged by the hash of its recipe, and the next run
finds it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, NamedTuple

import requests
from docker import DockerClient
from docker.errors import ImageNotFound
from docker.models.images import Image

from iolab.harness.backends.base import BackendUnavailable
from iolab.harness.backends.docker.engine import ERRORS, connect, explain, repository_and_tag
from iolab.harness.progress import Progress

PULLED = "python:3-slim"
REGISTRY_PATIENCE_S = 4

# Debian's python3-minimal lacks json.
PACKAGES = ("python3",)
TOOLS = ("iptables", "iproute2")

_RECIPE = (PULLED, PACKAGES, TOOLS, "1")


class Bases(NamedTuple):
    """Ids of the images to start from; the probe's may have the probe's tools already."""

    base: str
    probe_base: str


def ensure(client: DockerClient, progress: Progress) -> Bases:
    """Find or make the base images, and tag them `iolab/base` and `iolab/probe-base`.

    Raises BackendUnavailable with what to install or set when there is no way.
    """
    named = os.environ.get("BASE_IMAGE", "")
    if named:
        image = _named(client, named, progress)
        return _tagged(image, image, "latest")
    recipe = hashlib.sha256(repr(_RECIPE).encode()).hexdigest()[:12]
    try:
        return _tagged(
            client.images.get(f"iolab/base:{recipe}"),
            client.images.get(f"iolab/probe-base:{recipe}"),
            "latest",
        )
    except ImageNotFound:
        pass
    pulled = _pulled(client, progress)
    base, probe_base = (pulled, pulled) if pulled else _from_packages(client, progress)
    return _tagged(base, probe_base, recipe, "latest")


def _tagged(base: Image, probe_base: Image, *tags: str) -> Bases:
    for tag in tags:
        base.tag("iolab/base", tag)
        probe_base.tag("iolab/probe-base", tag)
    return Bases(str(base.id), str(probe_base.id))


def _named(client: DockerClient, name: str, progress: Progress) -> Image:
    try:
        return client.images.get(name)
    except ImageNotFound:
        progress.say(f"base image: pulling {name} (BASE_IMAGE)")
    try:
        return client.images.pull(*repository_and_tag(name))
    except ERRORS as error:
        raise BackendUnavailable(
            f"BASE_IMAGE={name}: neither here nor to be pulled: {explain(error)}"
        ) from error


def _pulled(client: DockerClient, progress: Progress) -> Image | None:
    """`python:3-slim` from a registry, or None with a line that says why not."""
    progress.doing("asking the registry")
    hurried = connect(REGISTRY_PATIENCE_S)
    try:
        hurried.api.inspect_distribution(PULLED)  # type: ignore[no-untyped-call]
    except requests.Timeout:
        progress.say(f"base image: no registry answered within {REGISTRY_PATIENCE_S} s")
        return None
    except ERRORS as error:
        progress.say(f"base image: no registry can be used ({explain(error)})")
        return None
    finally:
        hurried.close()
    progress.say(f"base image: pulling {PULLED}")
    was_here = bool(client.images.list(PULLED))
    repository, tag = repository_and_tag(PULLED)
    try:
        for event in client.api.pull(repository, tag, stream=True, decode=True):
            progress.doing(f"{PULLED}: {event.get('status', '')} {event.get('progress', '')}")
        image = client.images.get(PULLED)
        image.tag("iolab/base", "latest")
        if not was_here:
            # `make clean` removes what bears our name; this one was fetched for us alone.
            client.images.remove(PULLED, noprune=True)
    except ERRORS as error:
        progress.say(f"base image: {PULLED} could not be pulled ({explain(error)})")
        return None
    return image


def _from_packages(client: DockerClient, progress: Progress) -> tuple[Image, Image]:
    tool = _mmdebstrap(progress)
    progress.say("base image: building it from the distribution's packages (about half a minute)")
    with ThreadPoolExecutor(2) as pool:
        base = pool.submit(_bootstrap, client, tool, "base", PACKAGES, progress)
        probe_base = pool.submit(_bootstrap, client, tool, "probe-base", PACKAGES + TOOLS, progress)
        return base.result(), probe_base.result()


def _mmdebstrap(progress: Progress) -> str:
    """Where `mmdebstrap` is, installed when that is allowed."""
    found = shutil.which("mmdebstrap")
    if found:
        return found
    apt = shutil.which("apt-get")
    as_root = _as_root()
    missing = (
        "no registry answered, and mmdebstrap, which builds the base image from packages, is not"
        " installed: install the package `mmdebstrap`, or set BASE_IMAGE= to an image that has"
        " Python 3.11 or newer"
    )
    if apt is None or as_root is None:
        raise BackendUnavailable(missing)
    progress.say("base image: installing mmdebstrap")
    install = [apt, "-qq", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", "mmdebstrap"]):
        progress.doing("apt-get " + " ".join(command))
        done = subprocess.run(
            [*as_root, *install, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    found = shutil.which("mmdebstrap")
    if found is None:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BackendUnavailable(f"{missing} (apt-get said: {why})")
    return found


def _as_root() -> list[str] | None:
    """What to put before a command to run it as root, unasked; None when there is no way."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None


def _suite() -> str:
    """The host's own release: its mirror and its keys are the ones that are known to work here."""
    release = platform.freedesktop_os_release()
    if release.get("ID") in ("debian", "ubuntu"):
        return release.get("VERSION_CODENAME", "stable")
    return "stable"


def _bootstrap(
    client: DockerClient, tool: str, name: str, packages: Sequence[str], progress: Progress
) -> Image:
    command = [
        tool,
        "--variant=minbase",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{bulk}/*" for bulk in ("doc", "man", "locale")),
        _suite(),
        "-",
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=False,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        listener = threading.Thread(target=_listen, args=(process.stderr, name, said, progress))
        listener.start()
        try:
            client.api.import_image_from_stream(
                process.stdout,
                repository=f"iolab/{name}",
                tag="latest",
                changes=[f"LABEL iolab.image={name}"],
            )
        except ERRORS as error:
            process.kill()
            raise BackendUnavailable(
                f"iolab/{name}: the import failed: {explain(error)}"
            ) from error
        finally:
            status = process.wait()
            listener.join()
    if status != 0:
        # A truncated archive may have been imported under the name.
        client.images.remove(f"iolab/{name}:latest", force=True)
        why = next((line for line in reversed(said) if line.startswith("E:")), "no reason given")
        raise BackendUnavailable(
            f"mmdebstrap could not build iolab/{name}: {why}; set BASE_IMAGE= to an image that has"
            " Python 3.11 or newer, or see that the distribution's mirror can be reached"
        )
    return client.images.get(f"iolab/{name}:latest")


def _listen(stderr: IO[bytes], name: str, said: list[str], progress: Progress) -> None:
    for raw in stderr:
        line = raw.decode(errors="replace").strip()
        said.append(line)
        if line.startswith("I:"):
            progress.doing(f"iolab/{name}: {line[2:].strip()}")
