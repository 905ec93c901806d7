"""Each bug shows, without the harness: plain sockets on one side, `/proc` on the other."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.subject import load
from tests.gallery.servers import (
    GALLERY,
    Server,
    ask,
    free_port,
    read_exactly,
    read_line,
    read_to_end,
    reset,
    running,
    start,
    stop,
    until,
)

LONG = b"x" * 8_000_000 + b"\n"
MIB = 2**20
SPINNING = (
    0.1  # of a processor; a server with nothing to do takes none, and this machine may be busy
)


@contextmanager
def gallery(name: str) -> Iterator[Server]:
    with running(GALLERY / f"{name}.py") as server:
        yield server


def silent(sock: socket.socket, for_s: float = 0.3) -> bool:
    """Whether the server says nothing more for this long, and does not close."""
    sock.settimeout(for_s)
    try:
        return not sock.recv(1, socket.MSG_PEEK) and False
    except TimeoutError:
        return True


def send_all(sock: socket.socket, data: bytes) -> threading.Thread:
    """Send in the background, for data that no buffer holds; an early end is no matter."""

    def send() -> None:
        with suppress(OSError):
            sock.sendall(data)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def ask_in_mid_reply(server: Server) -> socket.socket:
    """A client whose reply is on its way, with the kernel's buffers full and nobody reading."""
    client = server.connect(receive_buffer=4096)
    sender = send_all(client, LONG)
    until(lambda: _stuck(server), "the server has a full send queue")
    sender.join(0.2)
    return client


def _stuck(server: Server) -> bool:
    """Whether some socket of the server has unsent bytes that do not move."""

    before = send_queue(server)
    time.sleep(0.05)
    return 0 < send_queue(server) == before


def send_queue(server: Server) -> int:
    """How much lies in the kernel, not yet acknowledged, of all that the server has sent."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    port = f":{server.port:04X}"
    return sum(int(row[4].partition(":")[0], 16) for row in rows if row[1].endswith(port))


class TestLeaks:
    """Sockets and descriptors that stay."""

    def test_blog_select(self) -> None:
        with gallery("blog_select") as server:
            for _ in range(5):
                with server.connect() as client:
                    ask(client, b"hello\n")
            until(lambda: server.rows("CLOSE-WAIT") == 5, "five CLOSE-WAIT sockets are left")

    @pytest.mark.parametrize("name", ["ignores_end_of_input", "parent_keeps_the_connection"])
    def test_in_close_wait(self, name: str) -> None:
        with gallery(name) as server:
            for _ in range(5):
                with server.connect() as client:
                    ask(client, b"hello\n")
            until(lambda: server.rows("CLOSE-WAIT") == 5, "five CLOSE-WAIT sockets are left")

    def test_forgets_close_after_reset(self) -> None:
        with gallery("forgets_close_after_reset") as server:
            before = server.sockets()
            for _ in range(5):
                client = server.connect()
                ask(client, b"hello\n")
                reset(client)
            until(lambda: server.rows("ESTABLISHED") == 0, "the table is empty")
            assert server.sockets() == before + 5

    def test_leaks_when_send_fails(self) -> None:
        with gallery("leaks_when_send_fails") as server:
            before = server.sockets()
            reset(ask_in_mid_reply(server))
            until(lambda: server.rows("ESTABLISHED") == 0, "the table is empty")
            with server.connect() as other:
                ask(other, b"hello\n")
            until(lambda: server.rows("CLOSE-WAIT") == server.rows("ESTABLISHED") == 0, "settled")
            assert server.sockets() == before + 1

    def test_leaks_if_nothing_was_said(self) -> None:
        with gallery("leaks_if_nothing_was_said") as server:
            with server.connect() as client:
                ask(client, b"hello\n")
            server.connect().close()
            until(lambda: server.rows("CLOSE-WAIT") == 1, "the silent one is left")

    def test_leaks_dead_newcomers(self) -> None:
        with gallery("leaks_dead_newcomers") as server:
            before = server.sockets()
            die_before_accept(server)
            with server.connect() as client:
                assert ask(client, b"hello\n") == b"hello\n"
            until(lambda: server.sockets() == before + 1, "one descriptor is left")

    def test_leaves_closing_to_the_collector(self) -> None:
        with gallery("leaves_closing_to_the_collector") as server:
            for _ in range(5):
                server.connect().close()
            until(lambda: server.rows("CLOSE-WAIT") == 5, "they wait for the collector")

    def test_waits_for_the_peers_end(self) -> None:
        with gallery("waits_for_the_peers_end") as server, server.connect() as client:
            assert read_to_end(client) == b""
            time.sleep(1)
            assert server.rows("FIN-WAIT-2") == 1
            assert server.sockets() == 2

    def test_idle_timer_needs_company(self) -> None:
        with gallery("idle_timer_needs_company") as server, server.connect() as client:
            assert silent(client, for_s=2.5)
            server.connect().close()
            assert read_to_end(client) == b""

    def test_own_attempts_count_as_life(self) -> None:
        with gallery("own_attempts_count_as_life") as server:
            client = ask_in_mid_reply(server)
            time.sleep(2.5)
            assert server.rows("ESTABLISHED") == 1
            client.close()

    def test_leaves_a_thread_behind(self) -> None:
        with gallery("leaves_a_thread_behind") as server:
            for _ in range(5):
                with server.connect() as client:
                    ask(client, b"hello\n")
            until(lambda: server.rows("CLOSE-WAIT") == server.rows("ESTABLISHED") == 0, "settled")
            time.sleep(0.1)
            assert server.threads() == 6

    def test_leaves_zombies(self) -> None:
        with gallery("leaves_zombies") as server:
            for _ in range(3):
                with server.connect() as client:
                    ask(client, b"hello\n")
            until(lambda: server.rows("ESTABLISHED") == 0, "all have ended")
            until(lambda: len(zombies(server)) == 3, "three zombies")

    def test_remembers_every_client(self) -> None:
        with gallery("remembers_every_client") as server:
            before = server.resident_mib()
            for _ in range(200):
                with server.connect() as client:
                    ask(client, b"hello\n")
            assert server.resident_mib() > before + 10

    def test_remembers_every_message(self) -> None:
        with gallery("remembers_every_message") as server, server.connect() as client:
            ask(client, b"hello\n")
            before = server.resident_mib()
            for _ in range(20):
                assert ask_long(client, b"x" * MIB + b"\n")
            assert server.resident_mib() > before + 18

    def test_unbounded_output(self) -> None:
        with gallery("unbounded_output") as server, server.connect(4096) as client:
            before = server.resident_mib()
            client.sendall((b"x" * 65535 + b"\n") * 1600)
            until(lambda: server.resident_mib() > before + 64, "memory rises")

    def test_unbounded_line(self) -> None:
        with gallery("unbounded_line") as server, server.connect() as client:
            before = server.resident_mib()
            client.sendall(b"x" * 100 * MIB)
            until(lambda: server.resident_mib() > before + 80, "memory rises")


class TestWrongBytes:
    """Replies that are not what was asked for."""

    def test_blog_select_dies_of_half_a_character(self) -> None:
        with gallery("blog_select") as server, server.connect() as client:
            client.sendall("ö".encode()[:1])
            assert server.ended() == 1

    def test_decodes_each_piece(self) -> None:
        with gallery("decodes_each_piece") as server, server.connect() as client:
            client.sendall("ö".encode()[:1])
            time.sleep(0.1)
            assert ask(client, "ö\n".encode()[1:]) == "\ufffd\ufffd\n".encode()

    def test_answers_fragment_at_end(self) -> None:
        with gallery("answers_fragment_at_end") as server:
            assert half_close(server, b"whole\nhalf") == b"whole\nhalf\n"

    def test_answers_each_piece(self) -> None:
        with gallery("answers_each_piece") as server, server.connect() as client:
            assert ask(client, b"half") == b"half\n"

    @pytest.mark.parametrize("end", [reset, socket.socket.close])
    def test_partial_line_outlives_client(self, end: object) -> None:
        with gallery("partial_line_outlives_client") as server:
            client = server.connect()
            client.sendall(b"half")
            time.sleep(0.1)
            reset(client) if end is reset else client.close()
            time.sleep(0.1)
            with server.connect() as other:
                assert ask(other, b"hello\n") == b"halfhello\n"

    def test_reply_outlives_client(self) -> None:
        with gallery("reply_outlives_client") as server:
            reset(ask_in_mid_reply(server))
            until(lambda: server.rows("ESTABLISHED") == 0, "it is gone")
            with server.connect() as other:
                other.sendall(b"hello\n")
                assert read_exactly(other, 6) == b"xxxxxx"

    def test_one_buffer_for_all(self) -> None:
        with gallery("one_buffer_for_all") as server, server.connect() as one:
            one.sendall(b"one")
            time.sleep(0.1)
            with server.connect() as two:
                assert ask(two, b"two\n") == b"onetwo\n"

    @pytest.mark.parametrize("name", ["ignores_partial_send", "forgets_to_wait_for_writable"])
    def test_long_reply_has_no_end(self, name: str) -> None:
        with gallery(name) as server, server.connect(4096) as client:
            sender = send_all(client, LONG)
            sender.join()
            time.sleep(0.3)
            client.settimeout(1)
            with pytest.raises(TimeoutError):
                read_exactly(client, len(LONG))

    def test_overtakes_unsent(self) -> None:
        with gallery("overtakes_unsent") as server, server.connect(65536) as client:
            sent, before, queued = 0, -1, 0
            while queued == 0 or queued != before:
                client.sendall(b"x" * 99_999 + b"\n")
                sent += 100_000
                time.sleep(0.1)
                before, queued = queued, send_queue(server)
            os.kill(server.process.pid, signal.SIGSTOP)
            sent -= len(read_exactly(client, queued // 2))
            client.sendall(b"late\n")
            os.kill(server.process.pid, signal.SIGCONT)
            reply = read_exactly(client, sent + 5)
            assert b"late\n" in reply
            assert not reply.endswith(b"late\n")

    def test_replies_as_they_are_ready(self) -> None:
        lines = b"".join(b"%0*d\n" % (1000 if n % 2 else 5, n) for n in range(4000))
        with gallery("replies_as_they_are_ready") as server, server.connect() as client:
            send_all(client, lines)
            reply = read_exactly(client, len(lines))
            assert reply != lines
            assert sorted(reply.split()) == sorted(lines.split())

    @pytest.mark.parametrize(
        ("name", "sent", "replied"),
        [
            ("strips_spaces", b" tab\t\r\n", b"tab\n"),
            ("splits_at_carriage_returns", b"one\rline\n", b"one\n"),
        ],
    )
    def test_line_is_not_taken_as_it_is(self, name: str, sent: bytes, replied: bytes) -> None:
        with gallery(name) as server, server.connect() as client:
            assert ask(client, sent) == replied

    def test_loses_a_byte_at_the_edge(self) -> None:
        with gallery("loses_a_byte_at_the_edge") as server, server.connect() as client:
            client.sendall(b"x" * 200_000 + b"\n")
            assert len(read_line_of(client)) < 200_001

    def test_drops_unsent_at_half_close(self) -> None:
        with gallery("drops_unsent_at_half_close") as server:
            assert len(half_close(server, LONG[:7_000_000] + b"\n", 4096)) < 7_000_001

    def test_closes_when_told_of_the_end(self) -> None:
        with gallery("closes_when_told_of_the_end") as server:
            os.kill(server.process.pid, signal.SIGSTOP)
            client = server.connect()
            client.sendall(b"the last request\n")
            client.shutdown(socket.SHUT_WR)
            os.kill(server.process.pid, signal.SIGCONT)
            with pytest.raises(ConnectionResetError):
                read_to_end(client)
            client.close()

    def test_resets_to_avoid_time_wait(self) -> None:
        with gallery("resets_to_avoid_time_wait") as server, pytest.raises(ConnectionResetError):
            half_close(server, LONG[:1_000_000] + b"\n", 4096)

    def test_cancels_the_writer_at_the_end(self) -> None:
        lines = b"".join(b"%0*d\n" % (50_000, n) for n in range(100))
        with gallery("cancels_the_writer_at_the_end") as server:
            assert len(half_close(server, lines, 4096)) < len(lines)


class TestNoReply:
    """Clients that wait in vain."""

    @pytest.mark.parametrize(
        ("name", "waiting"),
        [
            ("blocking_sendall", "wait_woken|sk_stream_wait_memory"),
            ("sleeps_until_writable", "nanosleep"),
            ("writes_under_a_lock", ""),
        ],
    )
    def test_one_who_does_not_read_holds_up_all(self, name: str, waiting: str) -> None:
        with gallery(name) as server, server.connect() as other:
            assert ask(other, b"hello\n") == b"hello\n"
            stuck = ask_in_mid_reply(server)
            other.sendall(b"hello?\n")
            assert silent(other)
            until(
                lambda: not waiting or any(w in server.waits_in() for w in waiting.split("|")),
                f"it waits in {waiting}",
            )
            stuck.close()

    def test_accepts_one_per_edge(self) -> None:
        with gallery("accepts_one_per_edge") as server:
            os.kill(server.process.pid, signal.SIGSTOP)
            clients = [server.connect() for _ in range(5)]
            os.kill(server.process.pid, signal.SIGCONT)
            for client in clients:
                client.sendall(b"hello\n")
            assert read_line(clients[0]) == b"hello\n"
            assert silent(clients[4])
            for client in clients:
                client.close()

    def test_reads_one_piece_per_edge(self) -> None:
        with gallery("reads_one_piece_per_edge") as server, server.connect() as client:
            client.sendall(b"x" * 20_000 + b"\n")
            assert silent(client)

    def test_waits_for_a_short_read(self) -> None:
        with gallery("waits_for_a_short_read") as server, server.connect() as client:
            assert len(ask(client, b"x" * 1022 + b"\n")) == 1023
            client.sendall(b"x" * 1023 + b"\n")
            assert silent(client)

    def test_drops_empty_messages(self) -> None:
        with gallery("drops_empty_messages") as server, server.connect() as client:
            client.sendall(b"\n")
            assert silent(client)

    def test_never_reads_again(self) -> None:
        with gallery("never_reads_again") as server, server.connect(4096) as client:
            send_all(client, LONG).join()
            assert read_exactly(client, len(LONG)) == LONG
            client.sendall(b"still there?\n")
            assert silent(client)

    def test_pool_of_eight(self) -> None:
        with gallery("pool_of_eight") as server:
            clients = [server.connect() for _ in range(9)]
            clients[8].sendall(b"hello\n")
            assert silent(clients[8])
            for client in clients:
                client.close()

    def test_leaves_a_lock_behind(self) -> None:
        with gallery("leaves_a_lock_behind") as server:
            os.kill(server.process.pid, signal.SIGSTOP)
            client = server.connect()
            client.sendall(b"hello\n")
            reset(client)
            os.kill(server.process.pid, signal.SIGCONT)
            with server.connect() as other:
                other.sendall(b"hello\n")
                assert silent(other)

    def test_forgets_to_count_down(self) -> None:
        with gallery("forgets_to_count_down") as server:
            for _ in range(50):
                client = server.connect()
                assert ask(client, b"hello\n") == b"hello\n"
                reset(client)
            with server.connect() as client:
                assert read_to_end(client) == b""

    def test_deaf_after_dead_newcomer(self) -> None:
        with gallery("deaf_after_dead_newcomer") as server:
            die_before_accept(server)
            with server.connect() as client:
                client.sendall(b"hello\n")
                assert silent(client)

    @pytest.mark.parametrize("name", ["refuses_the_largest", "default_stream_limit"])
    def test_refuses_what_is_promised(self, name: str) -> None:
        with gallery(name) as server, server.connect() as client:
            send_all(client, b"x" * MIB + b"\n")
            with suppress(ConnectionResetError):
                assert read_line_of(client) == b""

    def test_waits_for_the_log(self) -> None:
        with gallery("waits_for_the_log") as server, server.connect() as client:
            client.settimeout(0.5)
            sent = b"".join(b"%060d\n" % n for n in range(2000))
            client.sendall(sent)
            with pytest.raises(TimeoutError):
                read_exactly(client, len(sent))

    def test_serves_one_until_it_pauses(self) -> None:
        with gallery("serves_one_until_it_pauses") as server, server.connect() as other:
            ask(other, b"hello\n")
            with server.connect() as hog:
                send_all(hog, b"go\n" * 20 * MIB)
                reading = threading.Thread(target=read_what_there_is, args=(hog,), daemon=True)
                reading.start()
                time.sleep(0.2)
                other.sendall(b"hello?\n")
                assert silent(other, for_s=1.0)
                stop(server)
                reading.join()

    def test_reset_hides_the_refusal(self) -> None:
        with gallery("reset_hides_the_refusal") as server, server.connect() as client:
            client.sendall(b"hello\n" + b"x" * 500_000)
            with pytest.raises(ConnectionResetError):
                read_to_end(client)


class TestTimers:
    """Clients that are removed though they did nothing wrong."""

    @pytest.mark.parametrize("name", ["idle_timeout_from_the_start"])
    def test_patient_speaker_is_removed(self, name: str) -> None:
        with gallery(name) as server, server.connect() as client:
            for _ in range(3):
                assert ask(client, b"hello\n") in {b"hello\n", b""}
                time.sleep(0.8)
            assert read_to_end(client) == b""

    def test_timeout_of_sendall(self) -> None:
        with gallery("timeout_of_sendall") as server, server.connect(4096) as client:
            send_all(client, LONG)
            end, got = time.monotonic() + 3, 0
            while time.monotonic() < end and (piece := client.recv(65536)):
                got += len(piece)
                time.sleep(0.05)
            with suppress(ConnectionResetError):
                got += len(read_to_end(client))
            assert got < len(LONG)

    def test_user_timeout_of_two_seconds(self) -> None:
        with gallery("user_timeout_of_two_seconds") as server:
            client = ask_in_mid_reply(server)
            time.sleep(2.5)
            with pytest.raises(ConnectionResetError):
                read_exactly(client, len(LONG))
            client.close()

    def test_looks_at_the_clock_first(self) -> None:
        with gallery("looks_at_the_clock_first") as server, server.connect() as client:
            ask(client, b"hello\n")
            os.kill(server.process.pid, signal.SIGSTOP)
            client.sendall(b"hello?\n")
            time.sleep(1.6)
            os.kill(server.process.pid, signal.SIGCONT)
            with suppress(ConnectionResetError):
                assert read_line(client) == b""

    def test_stale_timer_closes_a_stranger(self) -> None:
        with gallery("stale_timer_closes_a_stranger") as server:
            server.connect().close()
            time.sleep(0.5)
            with server.connect() as client:
                assert ask(client, b"hello\n") == b"hello\n"
                begin = time.monotonic()
                assert read_to_end(client) == b""
                assert time.monotonic() - begin < 0.7

    def test_closes_on_urgent_data(self) -> None:
        with gallery("closes_on_urgent_data") as server, server.connect() as client:
            client.send(b"!", socket.MSG_OOB)
            with suppress(ConnectionResetError):
                assert read_to_end(client) == b""


class TestSpins:
    """A processor in use by a server that has nothing to do."""

    def test_always_wants_to_write(self) -> None:
        with gallery("always_wants_to_write") as server, server.connect() as client:
            ask(client, b"hello\n")
            assert server.cpu_share() > SPINNING

    def test_ignores_end_of_input(self) -> None:
        with gallery("ignores_end_of_input") as server:
            server.connect().close()
            until(lambda: server.rows("CLOSE-WAIT") == 1, "the end has come")
            assert server.cpu_share() > SPINNING

    def test_spins_after_half_close(self) -> None:
        with gallery("spins_after_half_close") as server:
            client = server.connect(receive_buffer=4096)
            send_all(client, LONG[:6_000_000] + b"\n").join()
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.1)
            assert server.cpu_share() > SPINNING
            client.close()

    def test_polls_every_socket(self) -> None:
        with gallery("polls_every_socket") as server:
            clients = [server.connect() for _ in range(500)]
            assert server.cpu_share() > SPINNING / 5
            for client in clients:
                client.close()


class TestDescriptorsRunOut:
    def test_dies_of_emfile(self) -> None:
        with gallery("dies_of_emfile") as server:
            allow(server, 4)
            with suppress(ConnectionResetError):  # it may die before the handshake is over
                server.connect().close()
            assert server.ended() == 1

    def test_spins_on_emfile(self) -> None:
        with gallery("spins_on_emfile") as server:
            allow(server, 4)
            with server.connect():
                assert server.cpu_share() > SPINNING

    def test_deaf_after_emfile(self) -> None:
        with gallery("deaf_after_emfile") as server:
            allow(server, 4)
            with server.connect() as client:
                time.sleep(0.1)
                allow(server, 100)
                client.sendall(b"hello\n")
                assert silent(client)

    def test_select_beyond_1024(self) -> None:
        with gallery("select_beyond_1024") as server:
            allow(server, 4096)
            clients = [server.connect() for _ in range(1030)]
            assert server.ended() == 1
            for client in clients:
                client.close()


class TestEnds:
    """Ends that should not be, ends that do not come, and starts that fail after them."""

    def test_dies_of_reset_mid_reply(self) -> None:
        with gallery("dies_of_reset_mid_reply") as server:
            reset(ask_in_mid_reply(server))
            assert server.ended() == 1

    def test_dies_of_invalid_utf8(self) -> None:
        with gallery("dies_of_invalid_utf8") as server, server.connect() as client:
            client.sendall(b"\xff\n")
            assert server.ended() == 1

    def test_dies_of_sigpipe(self) -> None:
        with gallery("dies_of_sigpipe") as server:
            client = server.connect()
            assert ask(client, b"hello\n") == b"hello\n"
            os.kill(server.process.pid, signal.SIGSTOP)
            client.sendall(b"hello\n" * 100)
            client.close()
            os.kill(server.process.pid, signal.SIGCONT)
            assert server.ended() == -signal.SIGPIPE

    def test_tells_of_a_failure_after_sigterm(self) -> None:
        with gallery("tells_of_a_failure_after_sigterm") as server, server.connect() as client:
            ask(client, b"hello\n")
            server.process.terminate()
            assert server.ended() == 128 + signal.SIGTERM

    def test_drops_replies_on_sigterm(self) -> None:
        with gallery("drops_replies_on_sigterm") as server:
            client = ask_in_mid_reply(server)
            server.process.terminate()
            assert server.ended() == 0
            assert len(read_what_there_is(client)) < len(LONG)
            client.close()

    def test_waits_for_a_stuck_peer_on_sigterm(self) -> None:
        with gallery("waits_for_a_stuck_peer_on_sigterm") as server:
            client = ask_in_mid_reply(server)
            server.process.terminate()
            assert server.ended(within_s=2) is None
            client.close()

    def test_joins_its_threads_on_sigterm(self) -> None:
        with gallery("joins_its_threads_on_sigterm") as server, server.connect() as client:
            ask(client, b"hello\n")
            server.process.terminate()
            assert server.ended(within_s=2) is None
            client.close()
            assert server.ended() == 0

    @pytest.mark.parametrize("name", ["forgets_reuseaddr", "child_keeps_the_listener"])
    def test_cannot_be_started_again(self, name: str) -> None:
        subject = load(GALLERY / f"{name}.toml")
        first = start(subject, "127.0.0.1", free_port("127.0.0.1"))
        try:
            with first.connect() as client:
                ask(client, b"hello\n")
                first.process.kill()
                first.process.wait()
                again = _start_blindly(first)
                assert again.ended() == 1
                stop(again)
        finally:
            stop(first)

    def test_reuseport_hides_the_other(self) -> None:
        with gallery("reuseport_hides_the_other") as first:
            second = _start_blindly(first)
            until(lambda: first.rows("LISTEN") == 2, "both listen")
            stop(second)


def _start_blindly(first: Server) -> Server:
    """A second instance at the same address, without a wait for its listening."""
    process = subprocess.Popen(
        first.process.args,
        cwd=GALLERY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return Server(process, first.host, first.port)


def die_before_accept(server: Server) -> None:
    """Connect and reset while the server is stopped, so that it finds the connection dead."""
    os.kill(server.process.pid, signal.SIGSTOP)
    reset(server.connect())
    os.kill(server.process.pid, signal.SIGCONT)
    time.sleep(0.1)


def allow(server: Server, descriptors: int) -> None:
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors, hard))


def half_close(server: Server, data: bytes, receive_buffer: int | None = None) -> bytes:
    """Send, end the sending, wait until the server has had a chance, and read to the end."""
    with server.connect(receive_buffer) as client:
        sender = send_all(client, data)
        sender.join(5)
        client.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        return read_to_end(client)


def ask_long(client: socket.socket, line: bytes) -> bool:
    sender = send_all(client, line)
    reply = read_exactly(client, len(line))
    sender.join()
    return reply == line


def read_line_of(client: socket.socket) -> bytes:
    """A long line, in large pieces."""
    reply = bytearray()
    while not reply.endswith(b"\n") and (piece := client.recv(65536)):
        reply += piece
    return bytes(reply)


def read_what_there_is(client: socket.socket) -> bytes:
    reply = bytearray()
    with suppress(ConnectionResetError):
        while piece := client.recv(65536):
            reply += piece
    return bytes(reply)


def zombies(server: Server) -> list[int]:
    states = {}
    for pid in server.processes():
        with open(f"/proc/{pid}/stat") as stat:
            states[pid] = stat.read().rpartition(")")[2].split()[0]
    return [pid for pid, state in states.items() if state == "Z"]
