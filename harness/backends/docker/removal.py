"""What a run owns on the engine, by label, and its removal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from docker import DockerClient
from docker.errors import NotFound
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from iolab.harness.backends import identity
from iolab.harness.backends.docker.engine import ERRORS, RUN_LABEL, EngineError, explain, explained

REMOVED_WITHIN_S = 20.0
HANDS = 8


@dataclass(frozen=True)
class Owned:
    """One object on the engine; `remove` is called again for as long as it is seen."""

    kind: str
    name: str
    run_id: str
    remove: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def owned(client: DockerClient, label: str = RUN_LABEL, value: str | None = None) -> list[Owned]:
    """Containers, networks and volumes with that label, in the order in which they can go."""
    wanted = {"label": label if value is None else f"{label}={value}"}
    with explained("listing what a run owns"):
        return [*_containers(client, wanted), *_networks(client, wanted), *_volumes(client, wanted)]


def _containers(client: DockerClient, wanted: dict[str, str]) -> Iterator[Owned]:
    for seen in client.api.containers(all=True, filters=wanted):
        name = (seen["Names"] or [seen["Id"][:12]])[0].lstrip("/")

        def remove(name: str = seen["Id"]) -> None:
            client.api.remove_container(name, force=True, v=True)

        yield Owned("container", name, seen["Labels"].get(RUN_LABEL, ""), remove)


def _networks(client: DockerClient, wanted: dict[str, str]) -> Iterator[Owned]:
    for seen in client.api.networks(filters=wanted):

        def remove(name: str = seen["Id"]) -> None:
            client.api.remove_network(name)

        yield Owned("network", seen["Name"], seen["Labels"].get(RUN_LABEL, ""), remove)


def _volumes(client: DockerClient, wanted: dict[str, str]) -> Iterator[Owned]:
    for seen in client.api.volumes(filters=wanted)["Volumes"] or ():

        def remove(name: str = seen["Name"]) -> None:
            client.api.remove_volume(name, force=True)

        yield Owned("volume", seen["Name"], (seen["Labels"] or {}).get(RUN_LABEL, ""), remove)


def remove(client: DockerClient, label: str, value: str) -> int:
    """Remove all that bears the label; returns how many objects, once none is seen any more.

    Raises EngineError with what is left, and why, after REMOVED_WITHIN_S.
    """
    gone: set[str] = set()
    refusals: dict[str, str] = {}

    def once() -> list[Owned]:
        refusals.clear()
        for kind in ("container", "network", "volume"):
            mine = [thing for thing in owned(client, label, value) if thing.kind == kind]
            gone.update(map(str, mine))
            if mine:
                with ThreadPoolExecutor(HANDS) as hands:
                    refusals.update(
                        (str(thing), why)
                        for thing, why in zip(mine, hands.map(_remove, mine), strict=True)
                        if why
                    )
        return owned(client, label, value)

    try:
        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_delay(REMOVED_WITHIN_S),
            wait=wait_exponential(multiplier=0.02, max=0.5),
        )(once)
    except RetryError as error:
        left = ", ".join(
            f"{thing} ({refusals.get(str(thing), 'no reason given')})"
            for thing in error.last_attempt.result()
        )
        raise EngineError(f"Docker: not removed within {REMOVED_WITHIN_S:g} s: {left}") from None
    return len(gone)


def _remove(thing: Owned) -> str | None:
    """Ask for the removal; the refusal in words, which matters only if the thing stays."""
    try:
        thing.remove()
    except NotFound:
        return None
    except ERRORS as error:
        return explain(error)
    return None


class Runs(NamedTuple):
    """Ids of the runs that own something on the engine; `unseen`: whose state cannot be told."""

    alive: list[str]
    dead: list[str]
    unseen: list[str]


def runs(client: DockerClient) -> Runs:
    """Who owns something on the engine."""
    states: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for run_id in sorted({thing.run_id for thing in owned(client)}):
        states[identity.alive(run_id)].append(run_id)
    return Runs(states[True], states[False], states[None])
