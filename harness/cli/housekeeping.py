"""Commands that look after the machine: `images`, `sweep` and `clean`."""

from __future__ import annotations

from collections.abc import Sequence

from iolab.harness.backends.base import BackendError, BackendUnavailable
from iolab.harness.backends.docker import engine, images, removal
from iolab.harness.backends.namespaces import backend as namespaces
from iolab.harness.command_line import Parser
from iolab.harness.progress import Progress


def build_images(arguments: Sequence[str]) -> int:
    """Build the images for Docker, where something changed."""
    _no_options("images", arguments, "Build the images that labs on Docker run, where needed.")
    client = engine.connect(images.TIMEOUT_S)
    try:
        with Progress() as progress:
            for name, image in images.ensure(client, progress).items():
                progress.say(f"iolab/{name:7} {image.removeprefix('sha256:')[:12]}")
    finally:
        client.close()
    return 0


def sweep(arguments: Sequence[str]) -> int:
    """Remove what dead runs left behind, and nothing else."""
    _no_options("sweep", arguments, "Remove what dead runs left behind, and nothing else.")
    # What the other backends make dies with its run, by the kernel's own rules, but for these.
    for line in namespaces.sweep():
        print(f"dead run: removed {line}")
    try:
        client = engine.connect()
    except BackendUnavailable as reason:
        print(f"nothing to sweep: {reason}")
        return 0
    try:
        runs = removal.runs(client)
        for run_id in runs.dead:
            count = removal.remove(client, engine.RUN_LABEL, run_id)
            print(f"dead run {run_id}: removed {count} containers, networks and volumes")
        for run_id in runs.unseen:
            print(f"run {run_id}: left alone, it belongs to another machine or PID namespace")
    finally:
        client.close()
    return 0


def clean(arguments: Sequence[str]) -> int:
    """Sweep, and remove the images, unless a run needs them."""
    _no_options("clean", arguments, "Sweep, and remove the images that the project made.")
    sweep(())
    try:
        client = engine.connect()
    except BackendUnavailable:
        return 0
    try:
        runs = removal.runs(client)
        if runs.alive:
            raise BackendError(f"run {runs.alive[0]} is still going on: end it first")
        count = images.remove_all(client)
        print(f"removed {count} images")
    finally:
        client.close()
    return 0


def _no_options(name: str, arguments: Sequence[str], what: str) -> None:
    Parser(prog=f"iolab {name}", description=what).parse_args(arguments)
