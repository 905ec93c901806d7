"""The connection to the engine, and what goes wrong with it, in words."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker import DockerClient
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from iolab.harness.backends.base import BackendError, BackendUnavailable

RUN_LABEL = "iolab.run"

# A lab's containers are started side by side, and every process in them holds a connection.
POOL_SIZE = 64

FIRST_ANSWER_S = 10

# All that the SDK raises when the engine refuses, or cannot be talked to.
ERRORS = (DockerException, requests.RequestException)


class EngineError(BackendError):
    """The engine refused something; the message is one line."""


def connect(timeout_s: int = 60) -> DockerClient:
    """A client of the engine that `DOCKER_HOST` or the Docker context names, seen to answer.

    Raises BackendUnavailable with what to change.
    """
    where = {**ContextAPI.kwargs_from_context(), **kwargs_from_env()}
    host = str(where.get("base_url", "unix:///var/run/docker.sock"))
    scheme, _, path = host.partition("://")
    if scheme == "ssh":
        raise BackendUnavailable(
            f"Docker at {host}: pipes into containers do not work over ssh://; forward the engine's"
            " socket (ssh -L) and point DOCKER_HOST at it"
        )
    try:
        if scheme == "unix":
            # Before the SDK does, which loses sight of a socket that it cannot connect.
            with socket.socket(socket.AF_UNIX) as trial:
                trial.settimeout(FIRST_ANSWER_S)
                trial.connect(path)
        # The timeout is the SDK's for every read: a first answer has to come sooner than a build.
        client = docker.from_env(timeout=min(timeout_s, FIRST_ANSWER_S), max_pool_size=POOL_SIZE)
    except (*ERRORS, OSError) as error:
        raise BackendUnavailable(f"Docker cannot be reached at {host}: {_reason(error)}") from error
    if timeout_s > FIRST_ANSWER_S:
        client.close()
        client = docker.from_env(timeout=timeout_s, max_pool_size=POOL_SIZE)
    return client


def _reason(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return (
            "permission denied; add yourself to the group `docker` and log in again,"
            " or choose another backend"
        )
    start = "start the Docker Engine, or choose another backend"
    for one in _behind(error):
        if isinstance(one, FileNotFoundError | ConnectionRefusedError):
            return f"nothing listens there; {start}"
        if isinstance(one, TimeoutError):
            return f"no answer within {FIRST_ANSWER_S} s; {start}"
    return f"{str(error).splitlines()[0]}; {start}"


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came from: the SDK wraps what the system said several times."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def explain(error: BaseException) -> str:
    """An error of the SDK in one line."""
    if isinstance(error, APIError):
        return str(error.explanation or error).strip().replace("\n", " ")
    return str(error).strip().replace("\n", " ") or repr(error)


def repository_and_tag(name: str) -> tuple[str, str]:
    """An image's name in two parts: without a tag, the SDK would pull all there are."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Errors of the engine become one line that says what was being done."""
    try:
        yield
    except ERRORS as error:
        raise EngineError(f"Docker: {what}: {explain(error)}") from error
