"""How a client of the lab plays its script, and tells of it.

Usually by `python -m client play`, as in compose.yaml. Where a person answers, by an agent, which
takes the script as data: nobody can foretell what a person will say, or when, so what would wait
for an answer, and check it, only asks there. Either way `tell` hears the records of `--log json`.
"""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from iolab.client.script import LIBRARY
from iolab.harness.backends.base import Process
from iolab.harness.backends.channel import Channel, ChannelError
from iolab.harness.live.definition import ClientService

Record = Mapping[str, Any]
Step = dict[str, Any]
Tell = Callable[[Record], None]

ASKS_EVERY_S = 12.0
THINKS_FOR_S = 5.0
"""A person is asked less often, and given time before the same client goes on; but not so much
that the server would think the client idle (compose.yaml)."""

STATUS_EVERY_S = 0.5
_FOREVER_S = 86_000.0


def play_argv(service: ClientService, bind: str, target: tuple[str, int]) -> list[str]:
    """The command that plays the client's script against the server, from the address `bind`."""
    host, port = target
    return [
        *(
            "python3",
            "-m",
            "iolab.client",
            "play",
            service.script,
            host,
            str(port),
            f"--bind={bind}",
        ),
        *(f"--count={service.count}", f"--name={service.name}", "--log=json"),
        *service.options,
    ]


def follow(process: Process, tell: Tell) -> None:
    """Pass on what the process of `play_argv` prints, until it ends; then the record `gone`."""
    rest, said = b"", bytearray()
    while True:
        stream, data = process.read()
        if not data:
            break
        if stream == "stderr":
            said += data
            continue
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            tell(json.loads(line))
    words = said.decode("utf-8", "backslashreplace").strip()
    tell({"event": "gone", "words": words.rpartition("\n")[2], "status": process.wait(1.0)})


AGENT_ARGV = ("python3", "-m", "iolab.client", "agent")


def converse(
    process: Process, service: ClientService, bind: str, target: tuple[str, int], tell: Tell
) -> None:
    """Play the script, made for a person, by the agent in `process`, until that ends."""
    ended = threading.Event()

    def hear(record: Record, line: bytes) -> None:
        if record.get("event") == "ended":
            tell(record)
            ended.set()

    agent = Channel(service.name, process, hear)
    try:
        agent.ready()
        while True:
            agent.request(
                "play",
                group=service.name,
                script=for_a_person(_script(service.script)),
                target=list(target),
                bind=[bind, 0],
                count=service.count,
            )
            _tell_status(agent, ended, tell)
    except ChannelError as error:
        tell({"event": "gone", "words": str(error), "status": process.wait(1.0)})


def _tell_status(agent: Channel, ended: threading.Event, tell: Tell) -> None:
    """Tell what the connections are doing, until the script of none goes on."""
    while True:
        ended.wait(STATUS_EVERY_S)
        ended.clear()
        reports = agent.request("report")["connections"]
        running = [one | {"latency_s": None} for one in reports if one["outcome"] == "running"]
        tell({"event": "status", "running": len(running), "connections": running})
        if not running:
            ended.wait(STATUS_EVERY_S)
            return


def for_a_person(script: Mapping[str, Any]) -> dict[str, Any]:
    """The script with questions in place of requests, and at a person's pace."""
    return {**script, "step": _steps(script["step"])}


def _steps(steps: Sequence[Step]) -> list[Step]:
    return [changed for step in steps for changed in _changed(step)]


def _changed(step: Step) -> list[Step]:
    match step["do"]:
        case "ask" | "send" | "flood":
            think = {"do": "idle", "for_s": THINKS_FOR_S, "doing": "waiting for your answer"}
            return [_question(step), think]
        case "repeat":
            slowly = max(ASKS_EVERY_S, step.get("every_s", 0.0))
            return [{**step, "every_s": slowly, "steps": _steps(step["steps"])}]
        case "expect":
            # The server ends a connection when the last answer has been given.
            end = {"eof": True, "anything": True, "within_s": _FOREVER_S}
            return (
                [{"do": "expect", "doing": step.get("doing", ""), **end}] if "eof" in step else []
            )
        case _:
            return [step]


def _question(step: Step) -> Step:
    """The same message, once, without a claim to an answer; noise is only named."""
    kept = ("mark", "doing", "text", "hex", "newline", "piece", "pause_s")
    question = {"do": "send", "unanswered": True, **{k: step[k] for k in kept if k in step}}
    if "size" in step:
        number = step.get("total", step["size"] * step.get("times", 1))
        question |= {"text": f"({number} bytes)"}
    return question


def _script(name: str) -> dict[str, Any]:
    return tomllib.loads((LIBRARY / f"{name}.toml").read_text(encoding="utf-8"))
