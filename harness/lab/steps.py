"""Script steps as a scenario writes them; the fields are those of `docs/protocol.md`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Step = dict[str, Any]


def connect(**fields: Any) -> Step:
    return {"do": "connect", **fields}


def send(text: str | None = None, **fields: Any) -> Step:
    return {"do": "send", **({} if text is None else {"text": text}), **fields}


def ask(text: str | None = None, **fields: Any) -> Step:
    return {"do": "ask", **({} if text is None else {"text": text}), **fields}


def flood(total: int, size: int, **fields: Any) -> Step:
    return {"do": "flood", "total": total, "size": size, **fields}


def expect(**fields: Any) -> Step:
    return {"do": "expect", **fields}


def read(on: bool) -> Step:
    return {"do": "read", "on": on}


def half_close(**fields: Any) -> Step:
    return {"do": "half-close", **fields}


def close(**fields: Any) -> Step:
    return {"do": "close", **fields}


def reset(**fields: Any) -> Step:
    return {"do": "reset", **fields}


def idle(for_s: float, **fields: Any) -> Step:
    return {"do": "idle", "for_s": for_s, **fields}


def wait(go: str, **fields: Any) -> Step:
    return {"do": "wait", "go": go, **fields}


def repeat(steps: list[Step], times: int = 0, every_s: float = 0.0, **fields: Any) -> Step:
    return {"do": "repeat", "times": times, "every_s": every_s, "steps": steps, **fields}


def hang(**fields: Any) -> Step:
    return {"do": "hang", **fields}


def unit(steps: Sequence[Step]) -> int:
    """Bytes of one message, its newline included, where all that are to be answered are alike.

    1 where they are not, or are none by `size`.
    """
    flat = [inner for step in steps for inner in step.get("steps", [step])]
    sizes = {step["size"] for step in flat if "size" in step and not step.get("unanswered")}
    return sizes.pop() + 1 if len(sizes) == 1 else 1


def fitting(steps: Sequence[Step], largest: int) -> list[Step]:
    """The steps with no message above `largest` bytes in them, but for one that is to be refused.

    What is longer is said in several messages.
    """
    return [_fitting(step, largest) for step in steps]


def _fitting(step: Step, largest: int) -> Step:
    if "steps" in step:
        return {**step, "steps": fitting(step["steps"], largest)}
    size = step.get("size", 0)
    if size <= largest or step.get("unanswered"):
        return step
    if step["do"] == "flood":
        return {**step, "size": largest}
    return {**step, "size": largest, "times": step.get("times", 1) * -(-size // largest)}
