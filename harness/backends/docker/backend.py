"""The backend on a Docker Engine."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import os
from collections.abc import Mapping, Sequence
from functools import cached_property

from docker import DockerClient
from docker.errors import ImageNotFound

from iolab.harness.backends import identity
from iolab.harness.backends.base import Backend, BackendUnavailable, Family, LabNodes
from iolab.harness.backends.docker import containers, engine, images, removal, trial, volumes
from iolab.harness.backends.docker.engine import RUN_LABEL, EngineError, explain, explained
from iolab.harness.backends.docker.lab import DockerLab
from iolab.harness.backends.docker.site import Equipment, Kind, Site, Unclean
from iolab.harness.backends.docker.watchdog import Watchdog
from iolab.harness.errors import UsageError
from iolab.harness.progress import Progress
from iolab.harness.subject.manifest import Subject

# What the main process found out, for its workers.
OUTFIT = "IOLAB_DOCKER"

MOST_IDLE = 2

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outfit:
    """Images by name, and what the engine allows."""

    images: Mapping[str, str]
    findings: trial.Findings


class DockerBackend(Backend):
    """Labs in containers."""

    name = "docker"

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._labels = {RUN_LABEL: run_id}
        self._numbers = itertools.count(1)
        self._sites: list[Site] = []
        self._idle: list[Site] = []
        self._volumes: dict[str, str] = {}
        self._waits: dict[str, bool] = {}
        self._watchdog: Watchdog | None = None

    @cached_property
    def client(self) -> DockerClient:
        """The connection to the engine; BackendUnavailable when there is none."""
        return engine.connect()

    def check(self) -> None:
        with explained("asking for its version"):
            system = self.client.version()["Os"]
        if system != "linux":
            raise BackendUnavailable(f"Docker runs {system} containers here; labs need Linux ones")

    def prepare(self) -> None:
        self._watchdog = Watchdog(self.run_id)
        for dead in removal.runs(self.client).dead:
            removal.remove(self.client, RUN_LABEL, dead)
        builder = engine.connect(images.TIMEOUT_S)
        try:
            with Progress() as progress:
                built = images.ensure(builder, progress)
        finally:
            builder.close()
        found = trial.findings(self.client, self._new_name(), self._labels, built["probe"])
        os.environ[OUTFIT] = json.dumps(dataclasses.asdict(Outfit(built, found)))

    @cached_property
    def _outfit(self) -> Outfit:
        try:
            known = json.loads(os.environ[OUTFIT])
        except KeyError:
            raise EngineError("the run's main process must call prepare() first") from None
        return Outfit(known["images"], trial.Findings(**known["findings"]))

    def missing(self) -> Mapping[str, str]:
        return self._outfit.findings.missing

    def why_no_ipv6(self) -> str | None:
        return None if self._outfit.findings.ipv6 else "this engine makes no network with IPv6"

    def versions(self) -> Mapping[str, str]:
        with explained("asking for its version"):
            return {"docker": str(self.client.version()["Version"])}

    def open_lab(self, subject: Subject, families: Sequence[Family] = (4,)) -> LabNodes:
        image = self._image(subject)
        command = self._command(subject, image, "::" if 6 in families else "0.0.0.0")
        waits = subject.image is None or self._has_waiter(image)
        kind = Kind(
            image=image,
            user=subject.user or containers.USER,
            capabilities=subject.capabilities,
            writable=subject.writable,
            seccomp=None if subject.seccomp is None else subject.seccomp.read_text("utf-8"),
            volume=None if subject.files is None else self._volume(subject),
            first_process=None if waits else tuple(command),
            environment=() if waits else tuple(subject.environment.items()),
        )
        return DockerLab(self._site(kind), subject, command, self._take_back)

    def close_labs(self) -> None:
        """Remove what this process made, of a run that others still work on."""
        for site in (*self._sites, *self._idle):
            site.remove()
        self._forget()

    def leftovers(self) -> Sequence[str]:
        return [str(thing) for thing in removal.owned(self.client, RUN_LABEL, self.run_id)]

    def close(self) -> None:
        removal.remove(self.client, RUN_LABEL, self.run_id)
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog = None
        self._forget()

    def _forget(self) -> None:
        for site in (*self._sites, *self._idle):
            site.let_go()
        self._sites.clear()
        self._idle.clear()
        self._volumes.clear()
        self.client.close()

    def _new_name(self) -> str:
        return f"iolab-{self.run_id}-{os.getpid()}-{next(self._numbers)}"

    def _site(self, kind: Kind) -> Site:
        """One that an earlier lab has left, or a new one."""
        for site in self._idle:
            if site.kind == kind:
                self._idle.remove(site)
                self._sites.append(site)
                return site
        findings = self._outfit.findings
        equipment = Equipment(
            self.client, self._labels, self._outfit.images, findings.descriptors, findings.ipv6
        )
        site = Site(equipment, self._new_name(), kind)
        self._sites.append(site)
        try:
            site.build()
        except BaseException:
            self._take_back(site, usable=False)
            raise
        return site

    def _take_back(self, site: Site, usable: bool) -> None:
        """Keep the site for the next lab if it can be cleaned, else remove it."""
        self._sites.remove(site)
        if usable and identity.alive(self.run_id) is not False and self._cleaned(site):
            self._idle.append(site)
            if len(self._idle) <= MOST_IDLE:
                return
            site = self._idle.pop(0)
        site.remove()

    def _cleaned(self, site: Site) -> bool:
        try:
            site.clean()
        except (Unclean, EngineError) as why:
            _log.info("not used again: %s", why)
            return False
        return True

    def _image(self, subject: Subject) -> str:
        """The id of the image that the subject runs in; UsageError when there is none."""
        if subject.image is None:
            return self._outfit.images["server"]
        try:
            return str(self.client.images.get(subject.image).id)
        except ImageNotFound:
            pass
        try:
            repository, tag = engine.repository_and_tag(subject.image)
            return str(self.client.images.pull(repository, tag).id)
        except engine.ERRORS as error:
            raise UsageError(
                f"{subject.manifest}: image: {subject.image} is not on this engine and cannot be"
                f" pulled: {explain(error)}"
            ) from error

    def _command(self, subject: Subject, image: str, host: str) -> list[str]:
        """The manifest's command, or else what the image itself starts."""
        if subject.command:
            return subject.argv(host, subject.port)
        with explained(f"image {subject.image}"):
            config = self.client.images.get(image).attrs["Config"]
        command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
        if not command:
            raise UsageError(
                f"{subject.manifest}: command: is missing, and {subject.image} names none itself"
            )
        return command

    def _has_waiter(self, image: str) -> bool:
        """Whether something in that image can wait; tried, once."""
        if image not in self._waits:
            name = self._new_name()
            container = containers.create(
                self.client,
                image,
                name,
                self._labels,
                argv=("sleep", "0"),
                network_mode="none",
            )
            try:
                containers.start(container)
            except EngineError as why:
                _log.info("no waiter in %s: %s", image, why)
                self._waits[image] = False
            else:
                self._waits[image] = True
            finally:
                containers.remove(container)
        return self._waits[image]

    def _volume(self, subject: Subject) -> str:
        """A volume with the manifest's files, filled once for the same content."""
        assert subject.files is not None
        archive, digest = volumes.pack(subject.files)
        if digest not in self._volumes:
            name = self._new_name()
            volumes.fill(self.client, name, self._labels, self._outfit.images["client"], archive)
            self._volumes[digest] = name
        return self._volumes[digest]
