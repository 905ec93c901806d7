"""What `--results` says of the run itself: when, where, with what."""

from __future__ import annotations

import os
import platform
import tomllib
from datetime import UTC, datetime
from importlib import metadata

from iolab.harness.backends.base import Backend
from iolab.harness.places import ROOT
from iolab.harness.report.results import Machine, Run, RunOptions
from iolab.harness.run.options import Options


def about(options: Options, backend: Backend, keywords: str | None) -> Run:
    """The run that begins now; `keywords` are those of `-k`."""
    return Run(
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        backend=backend.name,
        machine=Machine(
            kernel=f"{platform.system()} {platform.release()}",
            architecture=platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            python=platform.python_version(),
        ),
        versions={"iolab": version(), **backend.versions()},
        options=RunOptions(
            subjects=tuple(subject.name for subject in options.subjects),
            ip=options.families,
            scale=options.scale,
            only={name: tuple(sorted(labels)) for name, labels in options.only.items()},
            keywords=keywords or None,
        ),
    )


def version() -> str:
    """Our own: of the package, or of the checkout where it is not installed."""
    try:
        return metadata.version("iolab")
    except metadata.PackageNotFoundError:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])
