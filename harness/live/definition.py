"""compose.yaml, the lab's one definition, as every backend can honour it.

A lab is less than Compose can describe, and hardened whatever the file says. So a key is honoured,
or it must say what holds in every lab, or it concerns Compose alone, or it is refused by name.
Which service is what follows from the Dockerfile that it is built by.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iolab.harness.errors import UsageError
from iolab.harness.live.substitution import substitute

SERVER, PROBE, CLIENT = "server", "probe", "client"
_ROLES = {f"docker/{role}.Dockerfile": role for role in (SERVER, PROBE, CLIENT)}

# What the backends do to every node: the file may say it too, and nothing else.
_ALWAYS: Mapping[str, object] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}

# What Compose starts, builds and limits by; the backends have their own ways for these.
_COMPOSE_ONLY = {
    *("build", "image", "depends_on", "entrypoint", "init", "network_mode", "networks", "pid"),
    *("mem_limit", "pids_limit", "profiles", "restart", "stdin_open", "tty", "user"),
}

# The server's limits and rights are made real; a probe always gets the capabilities it needs.
_HONOURED = {
    SERVER: {"command", "environment", "cap_add", "tmpfs", "cpus"},
    PROBE: {"command", "cap_add"},
    CLIENT: {"command", "environment"},
}

# As many as one client process holds (its descriptors, less a few).
MOST_CONNECTIONS = 19_000


@dataclass(frozen=True)
class ServerService:
    """The server: what follows `python -m server`, without host and port."""

    name: str
    arguments: tuple[str, ...]
    model: str
    reply: str
    port: int
    environment: Mapping[str, str]
    capabilities: tuple[str, ...]
    writable: tuple[str, ...]
    cpus: float | None


@dataclass(frozen=True)
class ClientService:
    """A client: the script that it plays, on how many connections at once, and how."""

    name: str
    script: str
    count: int
    options: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Definition:
    """What compose.yaml says of the lab, its variables put in."""

    path: Path
    server: ServerService
    clients: tuple[ClientService, ...]


def load(path: Path, variables: Mapping[str, str] = os.environ) -> Definition:
    """Read the file; UsageError with one line that names the file, the key and what is allowed."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: not valid YAML: {_one_line(error)}") from error
    return _Reader(path, variables).definition(data)


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, as it is in Compose."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} stands here twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Reader:
    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        self.path = path
        self.variables = variables

    def wrong(self, where: str, why: str) -> UsageError:
        return UsageError(f"{self.path.name}: {where}: {why}")

    def definition(self, data: Any) -> Definition:
        top = self._table(data, "the file")
        known = {"services", "networks"}
        self._no_others("", {key for key in top if not str(key).startswith("x-")}, known)
        self._networks(self._table(top.get("networks", {}), "networks"))
        services = {
            name: self._table(self._filled(service, f"services.{name}"), f"services.{name}")
            for name, service in self._table(top.get("services"), "services").items()
        }
        by_role: dict[str, dict[str, Any]] = {SERVER: {}, PROBE: {}, CLIENT: {}}
        for name, service in services.items():
            role = self._role(name, service)
            self._check_keys(name, service, role)
            # Compose starts a service of a profile only when it is asked to.
            if not service.get("profiles"):
                by_role[role][name] = service
        for role in (SERVER, PROBE):
            if len(by_role[role]) != 1:
                found = ", ".join(by_role[role]) or "none"
                raise self.wrong("services", f"a lab has one {role}, not: {found}")
        if not by_role[CLIENT]:
            raise self.wrong("services", "a lab has at least one client; there is none")
        server = self._server(*next(iter(by_role[SERVER].items())))
        hosts = {server.name, *by_role[PROBE], *self._aliases(by_role[PROBE])}
        clients = tuple(
            self._client(name, service, hosts, server.port)
            for name, service in by_role[CLIENT].items()
        )
        return Definition(self.path, server, clients)

    def _filled(self, value: Any, where: str) -> Any:
        """The value with all variables in it put in."""
        if isinstance(value, str):
            return substitute(value, self.variables, f"{self.path.name}: {where}")
        if isinstance(value, list):
            return [self._filled(item, where) for item in value]
        if isinstance(value, dict):
            return {key: self._filled(item, f"{where}.{key}") for key, item in value.items()}
        return value

    def _role(self, name: str, service: Mapping[str, Any]) -> str:
        build = service.get("build")
        dockerfile = build.get("dockerfile") if isinstance(build, dict) else None
        if dockerfile not in _ROLES:
            allowed = ", ".join(_ROLES)
            raise self.wrong(
                f"services.{name}.build.dockerfile",
                f"must be one of {allowed}, which say what the service is; not {dockerfile!r}",
            )
        return _ROLES[dockerfile]

    def _check_keys(self, name: str, service: Mapping[str, Any], role: str) -> None:
        at = f"services.{name}."
        self._no_others(at, set(service), _HONOURED[role] | _COMPOSE_ONLY | set(_ALWAYS))
        for key, value in _ALWAYS.items():
            if service.get(key, value) != value:
                raise self.wrong(at + key, f"must be {_shown(value)}, as it is in every lab")

    def _networks(self, networks: Mapping[str, Any]) -> None:
        if len(networks) != 1:
            raise self.wrong("networks", f"a lab has one network, not {len(networks)}")
        ((name, network),) = networks.items()
        settings = self._table(network, f"networks.{name}")
        self._no_others(f"networks.{name}.", set(settings), {"internal"})
        if settings.get("internal") is not True:
            raise self.wrong(f"networks.{name}.internal", "must be true: a lab has no way out")

    def _aliases(self, probes: Mapping[str, Mapping[str, Any]]) -> set[str]:
        return {
            alias
            for service in probes.values()
            if isinstance(service.get("networks"), dict)
            for network in service["networks"].values()
            for alias in (network or {}).get("aliases", ())
        }

    def _server(self, name: str, service: Mapping[str, Any]) -> ServerService:
        at = f"services.{name}."
        words = self._words(service, at)
        arguments, options = _split_options(words, ("host", "port"))
        chosen = _split_options(words, ("model", "reply"))[1]
        port = options.get("port", "8001")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise self.wrong(at + "command", f"--port must be from 1 to 65535, not {port!r}")
        return ServerService(
            name=name,
            arguments=tuple(arguments),
            model=chosen.get("model", "select"),
            reply=chosen.get("reply", "echo"),
            port=int(port),
            environment=self._environment(service, at),
            capabilities=self._texts(service, at, "cap_add"),
            writable=self._texts(service, at, "tmpfs"),
            cpus=self._cpus(service, at),
        )

    def _client(
        self, name: str, service: Mapping[str, Any], hosts: set[str], port: int
    ) -> ClientService:
        at = f"services.{name}."
        words, options = _split_options(self._words(service, at), ("count",))
        count = options.get("count", "1")
        if not count.isdecimal() or not 0 < int(count) <= MOST_CONNECTIONS:
            raise self.wrong(
                at + "command",
                f"--count (CLIENTS) must be from 1 to {MOST_CONNECTIONS}, not {count!r}",
            )
        positional = words[:4]
        if positional[:1] != ["play"] or len(positional) < 4:
            raise self.wrong(
                at + "command",
                f"must begin: play SCRIPT HOST PORT; not {shlex.join(positional)!r}",
            )
        script, host, goes_to = positional[1:]
        if host not in hosts or goes_to != str(port):
            raise self.wrong(
                at + "command",
                f"must go to {' or '.join(sorted(hosts))}, port {port}; not to {host}, {goes_to}",
            )
        return ClientService(
            name, script, int(count), tuple(words[4:]), self._environment(service, at)
        )

    # Values

    def _table(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(where, f"must be a mapping, not {_shown(value)}")
        return value

    def _no_others(self, at: str, keys: set[Any], known: set[str]) -> None:
        for key in sorted(keys - known, key=str):
            raise self.wrong(
                f"{at}{key}", f"is not a key that a lab honours; known are {_list(known)}"
            )

    def _words(self, service: Mapping[str, Any], at: str) -> list[str]:
        value = service.get("command")
        if isinstance(value, str):
            return shlex.split(value)
        if not isinstance(value, list) or not value:
            raise self.wrong(at + "command", f"must be a list of words, not {_shown(value)}")
        return [str(word) for word in value]

    def _texts(self, service: Mapping[str, Any], at: str, key: str) -> tuple[str, ...]:
        value = service.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.wrong(at + key, f"must be a list of texts, not {_shown(value)}")
        return tuple(value)

    def _environment(self, service: Mapping[str, Any], at: str) -> Mapping[str, str]:
        value = service.get("environment", {})
        if isinstance(value, list):
            value = dict(str(pair).partition("=")[::2] for pair in value)
        return {name: str(text) for name, text in self._table(value, at + "environment").items()}

    def _cpus(self, service: Mapping[str, Any], at: str) -> float | None:
        value = service.get("cpus")
        if value is None:
            return None
        if not re.fullmatch(r"\d*\.?\d+", str(value)):
            raise self.wrong(
                at + "cpus", f"must be a number of CPUs such as 0.5, not {_shown(value)}"
            )
        return float(value)


def _split_options(words: list[str], names: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The words without these options, and the options' values; `--a=b` and `--a b` alike."""
    rest: list[str] = []
    options: dict[str, str] = {}
    remaining = iter(words)
    for word in remaining:
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in names:
            options[name] = value if equals else next(remaining, "")
        else:
            rest.append(word)
    return rest, options


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _shown(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
