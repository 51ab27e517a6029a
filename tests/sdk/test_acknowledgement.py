"""An engine acknowledges a closed gate only when nothing of it is under way."""

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from resyncctl.sdk import Acknowledger, Gate, GateClosed, GateState, read_acknowledgement
from resyncctl.sdk.acknowledgement import REFRESH_MS, acknowledgement_file
from resyncctl.sdk.errors import FormatError
from resyncctl.sdk.gate import read_gate
from tests.sdk.bot_world import World, buy, fill
from tests.sdk.samples import NOW_MS


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def engine_of(world: World) -> Acknowledger:
    return Acknowledger(world.gate, "main", engine="mm", now_ms=lambda: world.now_ms)


def test_a_closed_gate_is_acknowledged_with_its_move_and_the_times(world: World) -> None:
    engine = engine_of(world)
    with engine.sending(valid_ms=5_000):
        world.now_ms += 40
    assert not engine.acknowledge()
    world.now_ms += 60
    world.move(GateState.UNSAFE)
    world.now_ms += 10
    assert engine.acknowledge()
    found = read_acknowledgement(world.gate, "main")
    assert found.is_about(read_gate(world.gate, "main"))
    assert found.gate_sequence == 2
    assert found.gate_since_ms == NOW_MS + 100
    assert (found.quiet_since_ms, found.acknowledged_ms) == (NOW_MS + 110, NOW_MS + 110)
    assert found.requests_end_ms == NOW_MS + 40 + 5_000
    assert (found.engine, found.pid) == ("mm", os.getpid())


def test_an_open_gate_is_never_acknowledged(world: World) -> None:
    assert not engine_of(world).acknowledge()
    assert not acknowledgement_file(world.gate).exists()


def test_a_gate_file_that_cannot_be_believed_has_no_move_to_acknowledge(world: World) -> None:
    world.gate.write_bytes(b"")
    assert not engine_of(world).acknowledge()
    assert not acknowledgement_file(world.gate).exists()


@pytest.mark.invariant("I15")
def test_nothing_is_acknowledged_while_a_request_is_under_way(world: World) -> None:
    engine = engine_of(world)
    with engine.sending():
        world.move(GateState.UNSAFE)
        assert not engine.acknowledge()
        with pytest.raises(GateClosed), engine.sending():
            pytest.fail("nothing may be sent")
        world.now_ms += 700
    assert engine.acknowledge()
    found = read_acknowledgement(world.gate, "main")
    assert (found.quiet_since_ms, found.requests_end_ms) == (NOW_MS + 700, NOW_MS + 700)


def test_a_request_that_raises_has_ended_too(world: World) -> None:
    engine = engine_of(world)
    with pytest.raises(TimeoutError), engine.sending():
        raise TimeoutError
    world.move(GateState.UNSAFE)
    assert engine.acknowledge()


def test_it_is_said_again_while_it_lasts_and_for_every_move(world: World) -> None:
    engine = engine_of(world)
    world.move(GateState.UNSAFE)
    engine.acknowledge()
    first = acknowledgement_file(world.gate).stat().st_ino
    world.now_ms += REFRESH_MS - 1
    assert engine.acknowledge()
    assert acknowledgement_file(world.gate).stat().st_ino == first
    world.now_ms += 1
    assert engine.acknowledge()
    found = read_acknowledgement(world.gate, "main")
    assert (found.quiet_since_ms, found.acknowledged_ms) == (NOW_MS, NOW_MS + REFRESH_MS)
    world.move(GateState.SAFE)
    assert engine.due()
    assert engine.acknowledge()
    found = read_acknowledgement(world.gate, "main")
    assert (found.gate_sequence, found.quiet_since_ms) == (3, NOW_MS)


def test_a_silence_that_was_broken_begins_anew(world: World) -> None:
    engine = engine_of(world)
    world.move(GateState.UNSAFE)
    engine.acknowledge()
    world.move(GateState.RUNNING)
    world.now_ms += 50
    with engine.sending():
        pass
    world.now_ms += 50
    world.move(GateState.UNSAFE)
    engine.acknowledge()
    assert read_acknowledgement(world.gate, "main").quiet_since_ms == NOW_MS + 100


def test_a_folder_that_refuses_is_told_and_stops_nothing(world: World) -> None:
    engine = engine_of(world)
    world.move(GateState.UNSAFE)
    acknowledgement_file(world.gate).mkdir()
    assert not engine.acknowledge()
    assert engine.trouble
    acknowledgement_file(world.gate).rmdir()
    assert engine.acknowledge()
    assert engine.trouble is None


@pytest.mark.invariant("I15")
def test_no_request_slips_past_an_acknowledgement(tmp_path: Path) -> None:
    """Senders on three threads race a closing gate: no request begins after the acknowledgement."""
    world = World(tmp_path)
    engine = Acknowledger(world.gate, "main")
    under_way = 0
    lock = threading.Lock()
    stop = threading.Event()
    wrong: list[str] = []
    quiet = threading.Event()

    def send() -> None:
        nonlocal under_way
        while not stop.is_set():
            try:
                with engine.sending():
                    with lock:
                        under_way += 1
                    if quiet.is_set():
                        wrong.append("a request began after the acknowledgement")
                    with lock:
                        under_way -= 1
            except GateClosed:
                continue

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(25):
            world.move(GateState.UNSAFE)
            while not engine.acknowledge():
                pass
            quiet.set()
            if under_way:
                wrong.append("it was acknowledged while a request was under way")
            quiet.clear()
            world.move(GateState.RUNNING)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.mark.invariant("I15")
def test_a_gate_that_closes_while_it_is_asked_is_not_acknowledged_meanwhile(world: World) -> None:
    """The gate is read as open; before the request is counted, it closes and somebody looks."""
    answers: list[bool] = []
    lookers: list[threading.Thread] = []

    def just_read() -> int:
        if not lookers:
            lookers.append(threading.Thread(target=lambda: answers.append(engine.acknowledge())))
            world.move(GateState.UNSAFE)
            lookers[0].start()
            lookers[0].join(0.2)
        return time.time_ns()

    gate = Gate(world.gate, "main", now_ns=just_read)
    engine = Acknowledger(world.gate, "main", gate=gate, now_ms=lambda: world.now_ms)
    with engine.sending():
        lookers[0].join()
        assert answers == [False]
        assert not acknowledgement_file(world.gate).exists()


def test_a_recoverable_bot_acknowledges_with_its_heartbeat(world: World) -> None:
    with world.start() as bot:
        bot.before_submit(buy())
        world.move(GateState.UNSAFE)
        bot.heartbeat()
        assert not acknowledgement_file(world.gate).exists()
        bot.cancel_requested("bot-1")
        bot.heartbeat()
        assert not acknowledgement_file(world.gate).exists()
        bot.unknown("bot-1", until_ms=NOW_MS + 5_000)
        bot.heartbeat()
        found = read_acknowledgement(world.gate, "main")
        assert found.requests_end_ms == NOW_MS + 5_000
        assert found.is_about(Gate(world.gate, "main").status())


@pytest.mark.parametrize(
    "word", ["acknowledged", "cancelled", "expired", "rejected", "completed", "filled"]
)
def test_every_word_that_ends_a_request_lets_the_bot_be_quiet(world: World, word: str) -> None:
    with world.start() as bot:
        bot.before_submit(buy())
        world.move(GateState.UNSAFE)
        if word == "filled":
            bot.filled(fill(), client_id="bot-1")
        elif word == "acknowledged":
            bot.acknowledged("bot-1", exchange_id="7")
        else:
            getattr(bot, word)("bot-1")
        bot.heartbeat()
        assert read_acknowledgement(world.gate, "main").pid == os.getpid()


def test_a_bot_that_ends_cleanly_says_so_and_one_that_fails_does_not(world: World) -> None:
    with contextlib.suppress(KeyboardInterrupt), world.start():
        world.move(GateState.UNSAFE)
        raise KeyboardInterrupt
    assert not acknowledgement_file(world.gate).exists()
    with world.start():
        pass
    assert read_acknowledgement(world.gate, "main").account == "main"


def test_what_anybody_could_have_written_is_refused(world: World) -> None:
    engine = engine_of(world)
    world.move(GateState.UNSAFE)
    engine.acknowledge()
    place = acknowledgement_file(world.gate)
    with pytest.raises(FormatError, match="not of 'other'"):
        read_acknowledgement(world.gate, "other")
    place.chmod(0o666)
    with pytest.raises(FormatError, match="everybody"):
        read_acknowledgement(world.gate, "main")
    place.rename(place.with_name("elsewhere"))
    place.symlink_to("elsewhere")
    with pytest.raises(FormatError, match="symbolic link"):
        read_acknowledgement(world.gate, "main")
