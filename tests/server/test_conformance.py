"""One behaviour for all models: what a peer can see on the wire, and what is left behind."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import TypeAlias

import pytest

from tests.ipv6 import IPV6_LOOPBACK
from tests.server.running import Server
from tests.waiting import wait_until, wait_until_calm, wait_until_silent

Start: TypeAlias = Callable[..., Server]

LIMITS = ("--idle-timeout", "30", "--max-message", "1000000", "--grace", "5")


@pytest.fixture
def server(model: str, start: Start) -> Server:
    """A server of this model with everyday limits."""
    return start("--model", model, *LIMITS)


def test_says_which_model_it_is(model: str, server: Server) -> None:
    listening = server.event("listening")
    assert listening["model"] == model
    assert listening["pid"] == server.process.pid


@pytest.mark.parametrize("host", ["127.0.0.1", IPV6_LOOPBACK])
def test_echoes_over_both_families(server: Server, host: str) -> None:
    assert server.connect(host).ask(b"hello") == b"hello"


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 65_535, 65_536, 262_144, 1_000_000])
def test_messages_of_any_size_come_back_whole(server: Server, size: int) -> None:
    message = os.urandom(size).replace(b"\n", b" ")
    assert server.connect().ask(message) == message


def test_a_message_in_single_bytes_is_one_message(server: Server) -> None:
    peer = server.connect()
    for byte in "zwölf €\n".encode():
        peer.send(bytes([byte]))
    assert peer.read(len("zwölf €\n".encode())) == "zwölf €\n".encode()
    peer.close()
    assert server.event("closed")["messages"] == 1


def test_a_thousand_messages_in_one_piece_get_a_thousand_replies(server: Server) -> None:
    lines = b"".join(b"line %d\n" % n for n in range(1000))
    peer = server.connect()
    peer.send(lines)
    assert peer.read(len(lines)) == lines
    peer.close()
    assert server.event("closed")["messages"] == 1000


def test_clients_get_their_own_replies(crowd_model: str, start: Start) -> None:
    server = start("--model", crowd_model)
    peers = [server.connect() for _ in range(3)]
    for turn in range(3):
        for number, peer in enumerate(peers):
            assert peer.ask(b"%d of %d" % (turn, number)) == b"%d of %d" % (turn, number)


def test_half_closed_peer_is_answered_in_full_and_then_gets_a_fin(server: Server) -> None:
    peer = server.connect(receive_buffer=4096)
    message = b"x" * 999_999 + b"\n"
    peer.send(message)
    peer.send(message)
    peer.half_close()
    assert peer.read_to_eof() == message * 2
    assert server.event("closed")["reason"] == "eof"


def test_unfinished_line_is_dropped_or_answered_as_asked(model: str, start: Start) -> None:
    for policy, reply in (("drop", b"a\n"), ("answer", b"a\nb")):
        peer = start("--model", model, "--unfinished-line", policy).connect()
        peer.send(b"a\nb")
        peer.half_close()
        assert peer.read_to_eof() == reply


def test_oversize_is_refused_in_words_and_the_peer_need_not_close(server: Server) -> None:
    before = server.descriptors_at_rest()
    peer = server.connect()
    assert peer.ask(b"x" * 1_000_000) == b"x" * 1_000_000
    peer.send(b"x" * 1_000_001 + b"\nand more")
    assert peer.read_to_eof() == b"error: message longer than 1000000 bytes\n"
    assert server.event("closed", client=2)["reason"] == "oversize"
    wait_until("its descriptor to be closed", server.descriptors, holds=lambda seen: seen == before)


def test_who_says_a_lot_before_it_reads_is_heard_out(model: str, start: Start) -> None:
    server = start("--model", model, "--max-message", "9000000", "--high-water", "1000000")
    peer = server.connect(receive_buffer=4096)
    message = b"x" * 500_000 + b"\n"
    peer.send(message)
    peer.send(b"y" * 8_000_000)
    peer.half_close()
    assert peer.read_to_eof() == message


def test_an_answer_goes_on_while_the_peer_could_speak_and_does_not(
    model: str, start: Start
) -> None:
    """The server is ready to read and has much to write, and only the writing comes about."""
    server = start("--model", model, "--max-message", "9000000", "--high-water", "9000000")
    peer = server.connect(receive_buffer=4096)
    message = b"x" * 7_999_999 + b"\n"
    peer.send(message)
    assert peer.read(len(message)) == message


def test_oversize_after_good_messages_answers_those(model: str, start: Start) -> None:
    peer = start("--model", model, "--max-message", "3").connect()
    peer.send(b"abc\nabcd\nabc\n")
    assert peer.read_to_eof() == b"abc\nerror: message longer than 3 bytes\n"


def test_invalid_utf8_is_echoed_or_refused_as_asked(model: str, start: Start) -> None:
    everything = bytes(set(range(256)) - {0x0A}) + b"\n"
    peer = start("--model", model).connect()
    peer.send(everything)
    assert peer.read(len(everything)) == everything
    peer = start("--model", model, "--invalid-utf8", "close").connect()
    peer.send("grün\n".encode() + everything)
    assert peer.read_to_eof() == "grün\n".encode() + b"error: message is not UTF-8\n"


def test_upper_answers_in_capitals_whole_characters(model: str, start: Start) -> None:
    for framing in ("line", "raw"):
        peer = start("--model", model, "--reply", "upper", "--framing", framing).connect()
        for byte in "aé€😀\n".encode():
            peer.send(bytes([byte]))
        assert peer.read(11).decode() == "AÉ€😀\n"


def test_reset_between_and_inside_messages_is_survived(server: Server) -> None:
    baseline = server.descriptors_at_rest()
    for said in (b"", b"half a mess", b"x" * 900_000 + b"\n"):
        peer = server.connect(receive_buffer=4096)
        assert peer.ask(b"here") == b"here"
        peer.send(said)
        peer.reset()
    assert server.connect().ask(b"alive") == b"alive"
    wait_until(
        "the reset ones to go",
        lambda: server.events("closed"),
        holds=lambda closed: len(closed) == 4,
    )
    wait_until(
        "their descriptors to go", server.descriptors, holds=lambda seen: seen == baseline + 1
    )


def test_churn_leaves_nothing(server: Server) -> None:
    baseline = server.descriptors_at_rest()
    for turn in range(300):
        peer = server.connect()
        assert peer.ask(b"%d" % turn) == b"%d" % turn
        peer.close()
    wait_until("all descriptors to go", server.descriptors, holds=lambda seen: seen == baseline)


def test_silent_and_stalled_peers_are_removed(model: str, start: Start) -> None:
    server = start("--model", model, "--idle-timeout", "0.3")
    peer = server.connect()
    assert peer.read_to_eof() == b""
    assert server.event("closed", client=1)["reason"] == "idle-timeout"
    peer = server.connect()
    peer.send(b"half a mess")
    assert peer.read_to_eof() == b""
    assert server.event("closed", client=2)["reason"] == "idle-timeout"


def test_what_came_while_the_server_was_frozen_is_answered(crowd_model: str, start: Start) -> None:
    server = start("--model", crowd_model, "--idle-timeout", "0.5")
    peers = [server.connect() for _ in range(50)]
    for peer in peers:
        assert peer.ask(b"before") == b"before"
    server.process.send_signal(signal.SIGSTOP)
    for peer in peers:
        peer.send(b"meanwhile\n")
    for peer in peers:
        wait_until_silent(peer.socket, 0.7)
    server.process.send_signal(signal.SIGCONT)
    for peer in peers:
        assert peer.read(10) == b"meanwhile\n"


def test_what_came_while_the_server_computed_is_no_silence(crowd_model: str, start: Start) -> None:
    if crowd_model == "threaded":
        pytest.skip("a thread of its own hears each client")
    server = start("--model", crowd_model, "--reply", "compute", "--idle-timeout", "0.4")

    def told_in_time() -> bool:
        askers = [server.connect() for _ in range(3)]
        peer = server.connect()
        peer.socket.settimeout(60)  # the work is a second of CPU, which others may want too
        host, port = peer.socket.getsockname()
        name = f"{host}:{port}"
        server.event("accepted", peer=name)
        before = server.cpu_s()
        for asker in askers:
            asker.send(b"a question that takes a quarter of a second\n")
        wait_until("work", lambda: server.cpu_s() - before > 0.05)
        spoke_at = time.monotonic()
        peer.send(b"meanwhile\n")
        if peer.read(10) == b"meanwhile\n":
            return True
        assert server.event("closed", peer=name)["t"] < spoke_at, "it had spoken, and was not heard"
        return False

    wait_until("a peer that spoke in time", told_in_time)


def test_peer_that_never_reads_is_held_back_and_then_removed(model: str, start: Start) -> None:
    server = start("--model", model, "--idle-timeout", "1", "--user-timeout", "0")
    peer = server.connect(receive_buffer=4096)
    peer.socket.settimeout(None)
    before = server.resident()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        peer.send((b"x" * 1023 + b"\n") * 2**18)
    assert server.event("closed")["reason"] == "idle-timeout"
    assert server.resident() - before < 64 * 2**20


def test_blocking_serves_the_second_when_the_first_has_gone(start: Start) -> None:
    server = start("--model", "blocking")
    first, second = server.connect(), server.connect()
    second.send(b"second\n")
    assert first.ask(b"first") == b"first"
    server.event("accepted", client=1)
    assert len(server.events("accepted")) == 1
    first.close()
    assert second.read(7) == b"second\n"


def test_urgent_data_neither_stops_nor_spins(server: Server) -> None:
    peer = server.connect()
    peer.send(b"ab")
    peer.socket.send(b"!", socket.MSG_OOB)
    peer.send(b"cd\n")
    assert peer.read(5) == b"abcd\n"
    peer.socket.send(b"!", socket.MSG_OOB)
    assert peer.ask(b"after") == b"after"


def test_sigterm_finishes_what_is_in_flight(server: Server) -> None:
    peer = server.connect(receive_buffer=4096)
    message = b"x" * 999_999 + b"\n"
    peer.send(message)
    assert peer.read(100) == message[:100]
    server.process.send_signal(signal.SIGTERM)
    server.event("stopping")
    assert peer.read_to_eof() == message[100:]
    assert server.process.wait(5) == 0
    with pytest.raises(ConnectionRefusedError):
        server.connect()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_peers_get_a_fin_at_once_when_it_stops(server: Server, number: signal.Signals) -> None:
    peer = server.connect()
    assert peer.ask(b"hello") == b"hello"
    # Or the acknowledgement is late, and the server sees to it that the answer arrives.
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    assert server.stop(number) == 0
    assert peer.read_to_eof() == b""
    stopping, stopped = server.event("stopping"), server.event("stopped")
    assert stopping["signal"] == number.name
    assert stopped["t"] - stopping["t"] < 1


def test_stuck_peer_does_not_outlast_the_grace_time(model: str, start: Start) -> None:
    server = start("--model", model, "--grace", "0.3", "--max-message", "9000000")
    peer = server.connect(receive_buffer=4096)
    peer.send(b"x" * 8_000_000 + b"\n")
    peer.read(1)
    assert server.stop() == 0
    assert server.event("closed")["reason"] == "grace"


def test_a_server_that_stops_waits_asleep_for_the_last_acknowledgement(
    model: str, start: Start
) -> None:
    if model == "nonblocking":
        pytest.skip("never sleeps by its nature")
    server = start("--model", model)
    peer = server.connect(receive_buffer=4096)
    peer.send(b"x" * 60_000 + b"\n")
    peer.read(1)
    before = used = server.cpu_s()
    server.process.send_signal(signal.SIGTERM)

    def ended() -> bool:
        nonlocal used
        used = server.cpu_s()
        return server.process.poll() is not None

    wait_until("its end", ended)
    closed = server.event("closed")
    assert closed["reason"] == "shutdown"
    assert closed["t"] - server.event("stopping")["t"] > 1, "the peer had not acknowledged all"
    assert used - before < 0.4


def test_second_signal_ends_it_at_once(model: str, start: Start) -> None:
    server = start("--model", model, "--grace", "60", "--max-message", "9000000")
    peer = server.connect(receive_buffer=4096)
    peer.send(b"x" * 8_000_000 + b"\n")
    peer.read(1)
    server.process.send_signal(signal.SIGTERM)
    server.event("stopping")

    def signal_again() -> bool:  # signals that come too close together are one, signal(7)
        server.process.send_signal(signal.SIGTERM)
        return server.process.poll() is not None

    wait_until("its end", signal_again)
    assert server.process.returncode == 128 + signal.SIGTERM


def test_out_of_descriptors_serves_on_and_recovers(crowd_model: str, start: Start) -> None:
    server = start("--model", crowd_model)
    first = server.connect()
    assert first.ask(b"first") == b"first"
    pid = server.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (server.lowest_free_descriptor(), hard))
    late = server.connect()
    assert server.event("accept-failed")["error"] == "EMFILE"
    assert first.ask(b"still") == b"still"
    if crowd_model != "nonblocking":
        wait_until_calm("rest, though somebody waits", server.cpu_s, within_s=5)
    first.close()
    assert late.ask(b"late") == b"late"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert server.connect().ask(b"next") == b"next"
    server.event("accept-resumed")


def test_more_than_the_allowed_connections_are_refused(crowd_model: str, start: Start) -> None:
    server = start("--model", crowd_model, "--max-connections", "1")
    first = server.connect()
    assert first.ask(b"first") == b"first"
    assert server.connect().read_to_eof() == b"error: all 1 places are taken\n"
    assert server.event("refused")["reason"] == "all 1 places are taken"
    first.close()
    server.event("closed")
    assert server.connect().ask(b"next") == b"next"


def test_nobody_reading_the_log_stops_nothing(model: str, start: Start) -> None:
    server = start("--model", model, "--log-messages", log_lines=1)
    peer = server.connect()
    lines = b"a line that is logged\n" * 1000
    for _ in range(30):
        peer.send(lines)
        assert peer.read(len(lines)) == lines
    assert server.stop() == 0
