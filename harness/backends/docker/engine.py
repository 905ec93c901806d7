"""The connection to the engine, and what goes wrong with it, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker import DockerClient
from docker.errors import APIError, DockerException

from harness.backends.base import BackendError, BackendUnavailable

RUN_LABEL = "iolab.run"

# A lab's containers are started side by side, and every process in them holds a connection.
POOL_SIZE = 64

FIRST_ANSWER_S = 5

# All that the SDK raises when the engine refuses, or cannot be talked to.
ERRORS = (DockerException, requests.RequestException)


class EngineError(BackendError):
    """The engine refused something; the message is one line."""


def connect(timeout_s: int = 60) -> DockerClient:
    """A client of the engine that `DOCKER_HOST` or the Docker context names, seen to answer.

    Raises BackendUnavailable with what to change.
    """
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("ssh://"):
        raise BackendUnavailable(
            f"Docker at {host}: pipes into containers do not work over ssh://; forward the engine's"
            " socket (ssh -L) and point DOCKER_HOST at it"
        )
    try:
        # The timeout is the SDK's for every read: a first answer has to come sooner than a build.
        client = docker.from_env(timeout=min(timeout_s, FIRST_ANSWER_S), max_pool_size=POOL_SIZE)
    except ERRORS as error:
        raise BackendUnavailable(f"Docker cannot be reached at {host}: {_reason(error)}") from error
    if timeout_s > FIRST_ANSWER_S:
        client.close()
        client = docker.from_env(timeout=timeout_s, max_pool_size=POOL_SIZE)
    return client


def _reason(error: BaseException) -> str:
    text = str(error)
    if "PermissionError" in text:
        return (
            "permission denied; add yourself to the group `docker` and log in again,"
            " or choose another backend"
        )
    if any(sign in text for sign in ("FileNotFoundError", "ConnectionRefused", "refused")):
        return "nothing listens there; start the Docker Engine, or choose another backend"
    if "timed out" in text.lower() or "timeout" in text.lower():
        return (
            f"no answer within {FIRST_ANSWER_S} s; start the Docker Engine,"
            " or choose another backend"
        )
    return text.splitlines()[0]


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
