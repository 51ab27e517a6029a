"""Several operators and their processes on one account: one works, others wait or take over."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from resyncctl.sdk.gate import GateState, write_gate
from tests.journeys.served_world import ACCOUNT, DemoWorld, journals, records, rest_orders, served

WORDS = ("cancel-all", ACCOUNT, "--yes", "--reason", "lost the stream")
TAKE = (*WORDS, "--take-over", "its operator went home")

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]


class Operator:
    """One terminal: a command as a process, and the journal that it writes."""

    def __init__(self, world: DemoWorld, process: asyncio.subprocess.Process) -> None:
        self.world = world
        self.process = process

    @classmethod
    async def starts(cls, world: DemoWorld, *words: str) -> "Operator":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "resyncctl", "--config", str(world.config), *words),
            env={**os.environ, "XDG_STATE_HOME": str(world.folder / "state"), "NO_COLOR": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return cls(world, process)

    async def ends(self) -> tuple[int, str]:
        out, _ = await self.process.communicate()
        return self.process.returncode or 0, " ".join(out.decode().split())

    def journal(self) -> list[dict[str, Any]]:
        for path in journals(self.world):
            found = records(path)
            if found and found[0]["details"].get("pid") == self.process.pid:
                return found
        return []

    def events(self, name: str) -> list[dict[str, Any]]:
        return [record for record in self.journal() if record["event"] == name]

    async def reaches(self, event: str) -> None:
        gone = self.process
        await self.world.until(
            lambda: bool(self.events(event)) or gone.returncode is not None,
            f"the journal says {event}",
        )
        assert self.events(event), (await self.ends())[1]


def cancels(world: DemoWorld) -> list[dict[str, Any]]:
    """Every request to cancel that reached the exchange, in order."""
    return list(world.control.ask_log("select", account=ACCOUNT, kind="cancel"))


def trade(world: DemoWorld) -> None:
    """Let the account trade, so that closing its gate is an incident."""
    places = (
        world.folder / "state" / "gates" / f"{ACCOUNT}.json",
        world.folder / f"{ACCOUNT}-gate.json",
    )
    for place in places:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_gate(
            place,
            account=ACCOUNT,
            state=GateState.RUNNING,
            reason="trading",
            by="test",
            run_id="before",
            now_ms=time.time_ns() // 1_000_000,
        )


async def in_order(world: DemoWorld) -> None:
    """Nothing was placed, every record holds, and nobody has to look after anything."""
    assert not world.control.ask_log("creates", account=ACCOUNT)
    assert (await world.command("audit", "verify")).code == 0
    assert "UNFINISHED" not in (await world.command("status")).out
    assert "UNSAFE" in (await world.command("gate", "show", ACCOUNT)).out


@pytest.mark.invariant("I31")
async def test_of_two_at_once_one_works_and_the_other_is_told_who(tmp_path: Path) -> None:
    async with served(tmp_path, horizon="3s") as world:
        rest_orders(world, 8)
        pair = [await Operator.starts(world, *WORDS) for _ in range(2)]
        ended = [await one.ends() for one in pair]
        assert sorted(code for code, _ in ended) == [0, 25], ended
        winner, loser = sorted(pair, key=lambda one: one.process.returncode or 0)
        refusal = next(words for code, words in ended if code == 25)
        assert winner.journal()[0]["run_id"] in refusal
        assert f"process {winner.process.pid}" in refusal
        assert "resyncctl watch demo" in refusal
        assert not loser.events("intent")
        assert len(cancels(world)) == len(winner.events("intent"))
        assert loser.journal()[0]["run_id"] in str(winner.events("others_asked"))
        assert not world.orders()
        await in_order(world)


@pytest.mark.invariant("I31")
async def test_a_living_run_gives_way_between_two_requests(tmp_path: Path) -> None:
    async with served(tmp_path, horizon="4s") as world:
        trade(world)
        rest_orders(world, 8)
        first = await Operator.starts(world, *WORDS)
        await first.reaches("outcome")
        second = await Operator.starts(world, *TAKE)
        code, words = await first.ends()
        assert code == 13, words
        sent_by_first = len(cancels(world))
        rest_orders(world, 2)
        code_of_second, words_of_second = await second.ends()
        assert code_of_second == 0, words_of_second
        run_id = second.journal()[0]["run_id"]
        assert f"taken over by run {run_id}" in words
        assert "its operator went home" in words
        (taken,) = second.events("taken_over")
        assert taken["details"]["from_run"] == first.journal()[0]["run_id"]
        assert taken["details"]["forced"] is False
        story = " ".join((await world.command("incident", "show")).out.split())
        assert f"account taken over from run {first.journal()[0]['run_id']}" in story
        assert "which gave way: its operator went home" in story
        assert first.events("ended")
        assert first.events("resolved")[-1]["details"]["by_run"] == run_id
        assert all(r["at_ms"] <= taken["at_ms"] for r in first.events("intent"))
        assert sent_by_first == len(first.events("intent"))
        assert len(cancels(world)) == sent_by_first + len(second.events("intent"))
        assert not world.orders()
        await in_order(world)


@pytest.mark.invariant("I30")
async def test_a_stopped_run_is_replaced_and_sends_nothing_when_it_goes_on(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 8)
        world.control.call("set_latency", milliseconds=300)
        first = await Operator.starts(world, *WORDS)
        await first.reaches("intent")
        first.process.send_signal(signal.SIGSTOP)
        (intent, *_rest) = first.events("intent")
        second = await Operator.starts(world, *TAKE)
        code, words = await second.ends()
        assert code == 0, words
        (taken,) = second.events("taken_over")
        assert taken["details"]["forced"] is True
        lease_end_ms = intent["at_ms"] + 15_000 - 2_000  # it was taken shortly before
        assert taken["at_ms"] > lease_end_ms + 5_000
        assert all(r["at_ms"] > taken["at_ms"] for r in second.events("intent"))
        earlier = second.events("earlier_requests")
        unanswered = {r["details"]["intent_id"] for r in first.events("intent")} - {
            r["details"]["intent_id"] for r in first.events("outcome")
        }
        named = {one[1] for r in earlier for one in r["details"]["requests"]}
        assert unanswered <= named
        sent = len(cancels(world))
        intents = len(first.events("intent"))
        rest_orders(world, 2)
        first.process.send_signal(signal.SIGCONT)
        code, words = await first.ends()
        assert code == 13, words
        assert f"taken over by run {second.journal()[0]['run_id']}" in words
        # What was signed before the stop may still leave; the exchange refuses it as too old.
        assert not [row for row in cancels(world)[sent:] if row["executed"]]
        assert len(first.events("intent")) == intents
        assert len(world.orders()) == 2
        # The other run has proved the account since: nobody has to look after this one.
        assert first.events("resolved")[0]["details"]["by_run"] == second.journal()[0]["run_id"]
        await in_order(world)


@pytest.mark.invariant("I25")
async def test_a_killed_run_needs_no_take_over_and_its_requests_are_asked_for(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 8)
        world.control.call("set_latency", milliseconds=500)
        first = await Operator.starts(world, *WORDS)
        await first.reaches("intent")
        first.process.kill()
        await first.ends()
        answered = {r["details"]["intent_id"] for r in first.events("outcome")}
        left = {r["details"]["intent_id"] for r in first.events("intent")} - answered
        assert left
        until_ms = max(r["details"]["deadline_ms"] for r in first.events("intent"))
        second = await Operator.starts(world, *WORDS)
        code, words = await second.ends()
        assert code == 0, words
        (earlier,) = second.events("earlier_requests")
        assert {one[1] for one in earlier["details"]["requests"]} == left
        assert earlier["details"]["until_ms"] == until_ms
        assert second.journal()[0]["at_ms"] < until_ms, "the machine was too slow for this test"
        assert second.events("cancel_all_ended")[0]["at_ms"] > until_ms
        assert not world.orders()
        await in_order(world)


@pytest.mark.invariant("I31")
async def test_waiting_politely_ends_when_the_first_is_done(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 4)
        first = await Operator.starts(world, *WORDS)
        await first.reaches("intent")
        second = await Operator.starts(world, *WORDS, "--lock-timeout", "60s")
        (code, _), (code_of_second, words) = await first.ends(), await second.ends()
        assert (code, code_of_second) == (0, 0), words
        run_id = second.journal()[0]["run_id"]
        assert run_id in str(first.events("others_asked"))
        await in_order(world)


@pytest.mark.parametrize("end", ["ends", "dies", "interrupted"])
async def test_another_terminal_follows_a_run_and_disturbs_nothing(
    tmp_path: Path, end: str
) -> None:
    async with served(tmp_path, horizon="3s") as world:
        rest_orders(world, 4)
        first = await Operator.starts(world, *WORDS)
        await first.reaches("cancel_all_started")
        watcher = await Operator.starts(world, "watch", ACCOUNT)
        await first.reaches("outcome")
        if end == "dies":
            await asyncio.sleep(1.5)
            first.process.kill()
        if end == "interrupted":
            await asyncio.sleep(2.5)
            watcher.process.send_signal(signal.SIGINT)
        code, words = await watcher.ends()
        code_of_first, _ = await first.ends()
        expected = {"ends": (0, 0), "dies": (11, -9), "interrupted": (130, 0)}
        assert (code, code_of_first) == expected[end], words
        assert "intent: cancel_symbol" in words
        if end != "interrupted":
            assert ("died without coming to its end" in words) == (end == "dies")
            assert ("the run ended with 0" in words) == (end == "ends")
        if end == "ends":
            assert "proof: proving that the orders are gone" in words
        assert not watcher.journal()


async def test_an_operator_whose_account_is_held_is_offered_to_watch(tmp_path: Path) -> None:
    async with served(tmp_path, horizon="3s") as world:
        rest_orders(world, 4)
        first = await Operator.starts(world, *WORDS)
        await first.reaches("outcome")
        code, seen = await on_terminal(world, b"Watch run", b"y\r", *WORDS)
        code_of_first, _ = await first.ends()
        assert (code, code_of_first) == (25, 0), seen
        run_id = first.journal()[0]["run_id"]
        assert f"run {run_id}" in seen
        assert "proving that the orders are gone" in seen
        assert "it says of the account: proved_empty" in seen
        assert "exit 25 LOCKED" in seen
        assert len(cancels(world)) == len(first.events("intent"))


async def on_terminal(
    world: DemoWorld, question: bytes, answer: bytes, *words: str
) -> tuple[int, str]:
    """Run a command on a terminal of 80 columns and answer its one question."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {**os.environ, "XDG_STATE_HOME": str(world.folder / "state"), "TERM": "xterm"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "resyncctl", "--config", str(world.config), *words),
        env={**environ, "NO_COLOR": "1"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    os.set_blocking(master, False)
    seen, pending = b"", [(b"\x1b[6n", b"\x1b[1;1R"), (question, answer)]
    async with asyncio.timeout(60):
        while process.returncode is None:
            await asyncio.sleep(0.05)
            with contextlib.suppress(BlockingIOError, OSError):
                seen += os.read(master, 65_536)
            for asked, told in [one for one in pending if one[0] in seen]:
                pending.remove((asked, told))
                os.write(master, told)
        with contextlib.suppress(OSError):
            seen += os.read(master, 65_536)
    os.close(master)
    for frame in seen.decode().split("\x1b[H\x1b[2J")[1:]:
        assert max(len(line) for line in frame.replace("\r", "").split("\n")) <= 80
    return process.returncode, seen.decode()
