"""A group of players: it lets them go, rest and finish, and tells who has come how far."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from .loop import Alarm
from .player import Player, Setting

_KEPT = 200_000  # latencies of a whole group: a report must fit into one line
_START_S = 0.01  # starting players holds up the others no longer than this at a time

Event = Callable[[str, dict[str, object]], None]


def latencies_kept(count: int) -> int:
    """How many latencies each of `count` players keeps."""
    return max(1, min(10_000, _KEPT // count))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a wait has ended: `error` is None if `reached` is as many as were wanted."""

    reached: int
    error: str | None = None
    timed_out: bool = False


@dataclass(slots=True)
class _Watch:
    """Somebody waits until `wanted` players have come to `mark`."""

    mark: str
    wanted: int
    words: str
    missed: int
    done: Callable[[Outcome], None]
    alarm: Alarm | None = field(default=None, repr=False)


class Group:
    """`count` players of one script, named GROUP#0, GROUP#1, …; their stage.

    `event` hears of each connection established, each mark and each end, as the events of
    docs/protocol.md; None: nobody does.
    """

    def __init__(self, name: str, setting: Setting, count: int, event: Event | None) -> None:
        self.name = name
        self.count = count
        self.players: list[Player] = []
        self.resting = False
        self.finishing = False
        self._setting = setting
        self._event = event
        self._reached: Counter[str] = Counter()
        self._released: set[str] = set()
        self._held: dict[str, dict[Player, None]] = {}  # by signal, in the order of their coming
        self._settled: set[Player] = set()
        self._watches: list[_Watch] = []

    @property
    def running(self) -> int:
        """How many players have not ended."""
        return self.count - self._reached["ended"]

    def start(self, done: Callable[[], None]) -> None:
        """Start the players, little by little; `done` is called when all are under way."""
        until = time.monotonic() + _START_S
        while len(self.players) < self.count and time.monotonic() < until:
            player = Player(f"{self.name}#{len(self.players)}", self._setting, self)
            self.players.append(player)
            player.resume()
        if len(self.players) < self.count:
            self._setting.loop.soon(lambda: self.start(done))
        else:
            done()

    def again(self, name: str) -> None:
        """Play the script anew in place of the player of that name, which has ended."""
        place = int(name.rpartition("#")[2])
        player = Player(name, self._setting, self)
        self.players[place] = player
        self._reached["ended"] -= 1
        player.resume()

    def go(self, signal: str, count: int | None = None) -> int:
        """Let go who waits for `signal`, now and later; how many were waiting.

        With a `count` so many of those who wait now, in the order in which they came to wait.
        """
        held = self._held.get(signal, {})
        going = list(islice(held, count))
        if count is None:
            self._released.add(signal)
        for player in going:
            del held[player]
        for player in going:
            player.resume()
        return len(going)

    def rest(self) -> None:
        """Let repeating players rest between two rounds."""
        self.resting = True
        self._nudge()

    def wake(self) -> None:
        """Let resting players go on."""
        self.resting = False
        self._nudge()

    def finish(self) -> None:
        """Let repeating players end after the round under way."""
        self.finishing = True
        self._nudge()

    def drop(self) -> int:
        """Close what is left; how many players had not ended."""
        left = self.running
        self.count = len(self.players)  # no more are started
        for player in self.players:
            player.drop()
        return left

    def disband(self) -> None:
        """Forget the players, who have all ended, and with them the cycles of references: the
        collector is off while the loop runs."""
        self.players.clear()

    def watch(
        self,
        mark: str,
        count: int | None,
        within_s: float,
        words: str,
        done: Callable[[Outcome], None],
    ) -> None:
        """Call `done` once `count` players (None: all) have come to `mark`.

        It is told early when so many can no longer come, and after `within_s` in any case.
        Besides a step's marks there are "connected", "ended", and "at rest".
        """
        missed = sum(
            player.outcome != "running" and not self._has_come(player, mark)
            for player in self.players
        )
        wanted = self.count if count is None else count
        watch = _Watch(mark, wanted, words, missed, done)
        self._watches.append(watch)
        watch.alarm = Alarm(self._setting.loop, lambda: self._close(watch, timed_out=True))
        watch.alarm.set(time.monotonic() + within_s)
        self._look()

    def report(self) -> list[dict[str, object]]:
        """The reports of all players started so far."""
        return [player.report() for player in self.players]

    # The stage, as client.player.Stage has it.

    def is_released(self, signal: str) -> bool:
        return signal in self._released

    def hold(self, player: Player, signal: str) -> None:
        self._held.setdefault(signal, {})[player] = None

    def holds(self, player: Player, signal: str) -> bool:
        return player in self._held[signal]

    def connected(self, player: Player) -> None:
        connection = player.connection
        assert connection is not None
        self._tell(
            "connected",
            {"connection": player.name, "local": connection.local, "peer": connection.peer},
        )
        self._reach(player, "connected")

    def marked(self, player: Player, mark: str) -> None:
        self._tell("mark", {"connection": player.name, "mark": mark})
        self._reach(player, mark)

    def waiting(self, player: Player) -> None:
        self._tell("waiting", {"connection": player.name, "since": player.asked_at})

    def settled(self, player: Player, at_rest: bool) -> None:
        if at_rest:
            self._settled.add(player)
            self._look()
        else:
            self._settled.discard(player)

    def ended(self, player: Player) -> None:
        self._settled.discard(player)
        self._reached["ended"] += 1
        if self._event is not None:
            self._event("ended", player.report())
        for watch in self._watches:
            watch.missed += not self._has_come(player, watch.mark)
        self._look()

    def _nudge(self) -> None:
        for player in self.players:
            player.resume()
        self._look()

    def _reach(self, player: Player, mark: str) -> None:
        if mark not in player.marks:
            player.marks = (*player.marks, mark)
            self._reached[mark] += 1
            self._look()

    def _has_come(self, player: Player, mark: str) -> bool:
        if mark in ("ended", "at rest"):
            at_rest = mark == "at rest" and player in self._settled
            return at_rest or player.outcome != "running"
        return mark in player.marks

    def _so_far(self, mark: str) -> int:
        if mark == "at rest":
            return len(self._settled) + self._reached["ended"]
        return self._reached[mark]

    def _look(self) -> None:
        for watch in self._watches[:]:
            if self._so_far(watch.mark) >= watch.wanted or watch.missed > self.count - watch.wanted:
                self._close(watch)

    def _close(self, watch: _Watch, timed_out: bool = False) -> None:
        self._watches.remove(watch)
        assert watch.alarm is not None
        watch.alarm.cancel()
        reached = self._so_far(watch.mark)
        if reached >= watch.wanted:
            watch.done(Outcome(reached))
            return
        why = "in time" if timed_out else "and no more can"
        error = f"{watch.words}: {reached} of {watch.wanted} {why}; {self._example(watch.mark)}"
        watch.done(Outcome(reached, error, timed_out))

    def _example(self, mark: str) -> str:
        """One player that has not come to `mark`, in words."""
        for player in self.players:
            if self._has_come(player, mark):
                continue
            seen = f"{player.name} at step {player.step.number} ({player.step.doing})"
            if player.failure is not None:
                return f"{seen}: {player.failure.kind}, {player.failure.detail}"
            return f"{seen}: {player.outcome}"
        return "not all are started"

    def _tell(self, event: str, fields: dict[str, object]) -> None:
        if self._event is not None:
            self._event(event, fields)
