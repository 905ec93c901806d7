"""The server's own life: how it ends, and how it begins again."""

from __future__ import annotations

from harness.lab import LEEWAY_S, Lab
from harness.scenario import scenario
from harness.steps import ask, close, connect, expect, send, wait

CLIENTS = 4


@scenario(
    "lifecycle.sigterm",
    title="SIGTERM with replies in flight",
    expects="They are finished, the listener is closed, exit status 0 within the grace time.",
    why="A deployment ends every server this way; what was accepted is to be answered.",
    cites=("signal(7): SIGTERM", "RFC 9293 §3.6 (closing a connection)"),
    promises=("graceful_stop_s",),
    quiet=True,
    connections=lambda case: CLIENTS,
)
def test_sigterm(lab: Lab) -> None:
    promise = lab.promises.graceful_stop_s or 0.0
    size = min(lab.promises.max_message or 65536, 1 << 20)
    in_flight = lab.play(
        "in-flight",
        connect(receive_buffer=4096),
        {"do": "read", "on": False},
        send(size=size),
        wait("go", mark="ready"),
        {"do": "read", "on": True},
        expect(within_s=promise + LEEWAY_S),
        expect(eof=True, within_s=promise + LEEWAY_S),
        close(),
        count=CLIENTS,
    )
    in_flight.reached("ready", within_s=10)
    for peer in in_flight.peers():
        unsent = {"queue": {"peer": peer, "send_q_at_least": 1}}
        lab.prove_by("in flight: unsent bytes in the server's socket", unsent)
    lab.bystanders.leave()
    lab.trigger(in_flight)
    lab.stop_subject("SIGTERM")
    in_flight.go()
    in_flight.ended(within_s=promise + 2 * LEEWAY_S)
    lab.expect_stop(within_s=promise + LEEWAY_S, asked="SIGTERM", allowed=(0,))


@scenario(
    "lifecycle.restart",
    title="SIGKILL to the main process with clients connected, started again at once",
    expects="It binds and serves at once.",
    why="Connections of the dead server hold its address unless SO_REUSEADDR is set.",
    cites=("socket(7): SO_REUSEADDR", "RFC 9293 §3.6.1 (TIME-WAIT)"),
    connections=lambda case: CLIENTS,
)
def test_restart(lab: Lab) -> None:
    clients = lab.play(
        "orphaned",
        connect(),
        ask("before the end"),
        expect(eof=True, within_s=10, mark="ready"),
        wait("never", mark="told"),
        count=CLIENTS,
        must="nothing",
    )
    clients.reached("ready")
    lab.bystanders.leave()
    lab.trigger(clients)
    lab.stop_subject("SIGKILL")
    lab.expect_stop(within_s=LEEWAY_S, asked="SIGKILL", allowed=None)
    clients.reached("told")
    lab.prove_by(
        "clients of the dead server keep their side open",
        {
            "connections": {
                "port": lab.port,
                "states": ["FIN-WAIT-1", "FIN-WAIT-2"],
                "at_least": CLIENTS,
            }
        },
    )
    lab.start_again()
