"""A subject that does not come up, or ends by itself: told apart from one that is silent.

It is a matter of the subject and not of the scenario: nothing else is said of such a playing.
"""

from __future__ import annotations

from collections.abc import Iterator

from iolab.harness.judge import words
from iolab.harness.judge.scene import Scene, address
from iolab.harness.judge.verdict import IN_THE_BACKGROUND, Finding, Level
from iolab.harness.record.kinds import Astray, Deaf, Death, Left, Unstartable

STAY = (
    "keep it in the foreground, where its end and its output can be seen: `exec` in a script, "
    "no `&`, no `daemon` (in nginx `daemon off;`)"
)


def judge_death(scene: Scene) -> Iterator[Finding]:
    """Why there was nobody to be asked."""
    for deaf in scene.all(Deaf):
        yield _deaf(scene, deaf)
    for record in scene.all(Unstartable):
        yield Finding(
            "reply",
            Level.FAILED,
            "does not start",
            f"its command cannot be started: {record.error}",
            tuple(_astray(scene)),
            timed=False,
            conditional=False,
        )
    for death in scene.all(Death):
        if went_to_background(death):
            yield _background(scene, death)
            continue
        left = [f"{_who(one)}, which it started, goes on" for one in death.left]
        yield Finding(
            "reply",
            Level.FAILED,
            # Before any client came, it is the same in every playing: told once a subject.
            "died" if scene.groups else "does not start",
            f"the server ended by itself: {words.exit_status(death.status)}",
            (*_astray(scene), *words.log_tail(scene.end, lines=12), *left),
            timed=False,
            conditional=False,
        )


def went_to_background(death: Death) -> bool:
    """Whether the command ended as if all were well, and what it started goes on."""
    return death.status == 0 and bool(death.left)


def _deaf(scene: Scene, deaf: Deaf) -> Finding:
    near = scene.snapshot_before(deaf.t)
    listening = near.listeners if near else []
    where = ", ".join(address(row.local) for row in listening) or "nowhere"
    what = f"it did not listen on port {deaf.port} within {deaf.within_s:g} s"
    if deaf.elsewhere:
        what = f"it listens where no client comes to: {where}, not {address(scene.target)}"
    return Finding(
        "reply",
        Level.FAILED,
        "not listening",
        what,
        (f"it listens {where}", *words.threads(scene, near), *words.log_tail(scene.end)),
        conditional=False,
    )


def _background(scene: Scene, death: Death) -> Finding:
    left = sorted(death.left, key=lambda one: not one.listens)
    who = _who(left[0]) + (f" and {len(left) - 1} more" if len(left) > 1 else "")
    goes = "goes" if len(left) == 1 else "go"
    where = " and ".join(address(local) for one in left for local in one.listens)
    doing = (
        f"and {'listens' if len(left) == 1 else 'listen'} on {where}"
        if where
        else "without listening"
    )
    return Finding(
        "reply",
        Level.FAILED,
        IN_THE_BACKGROUND,
        f"its command ended with exit status 0, and {who}, which it started, {goes} on {doing}",
        (STAY, *words.log_tail(scene.end)),
        timed=False,
        conditional=False,
    )


def _who(process: Left) -> str:
    return f"{process.name} (process {process.pid})"


def _astray(scene: Scene) -> list[str]:
    """What of the command is not where the command runs."""
    return [
        f"{' and '.join(record.words)} {'are' if len(record.words) > 1 else 'is'} not there: "
        f"the command runs in the folder {record.folder}, because the manifest has no `files`; "
        'give files = "." for the folder of the manifest'
        for record in scene.all(Astray)
    ]
