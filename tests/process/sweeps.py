"""Kill a command at every effect that it has, and see that the next run makes everything good.

The first run of a verb is not killed and tells its effects. Then, for each number k, a fresh
account is prepared in the same way and the command kills itself at its k-th effect. Called by the
tests of this folder.
"""

import fcntl
import json
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resyncctl.sdk.gate import GateState, write_gate
from tests.process.harness import Ended, Home

WHOLE_TIER = bool(os.environ.get("RESYNCCTL_PROCESS_TIER"))
RESULTS = Path(__file__).parent / "results.json"
SOME_POINTS = 3
SIDE_BY_SIDE = 3
Homes = Callable[[], AbstractContextManager[Home]]


@dataclass(frozen=True, slots=True)
class Verb:
    """A command that changes something: how its world is made, run again, and judged.

    `over` are the records after which nothing is left to do, so that `status` may be silent;
    `again` is what an operator does after a crash, where it is more than the same command.
    """

    name: str
    words: Callable[[Home], tuple[str, ...]]
    prepare: Callable[[Home], None]
    finished: Callable[[Home, Ended], None]
    proved: Callable[[Home], bool]
    over: tuple[str, ...] = ("record ended",)
    again: Callable[[Home], Ended] | None = None


def open_gate(home: Home) -> None:
    """Let the engine trade, as it does before an incident."""
    for path in (
        home.folder / "gate.json",
        home.folder / "state" / "gates" / f"{home.account}.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_gate(
            path,
            account=home.account,
            state=GateState.RUNNING,
            reason="it trades",
            by="test",
            run_id="before",
            now_ms=1,
        )


def effects_of(verb: Verb, home: Home) -> tuple[str, ...]:
    """Run the verb to its end and return what it did."""
    verb.prepare(home)
    ended = home.run(*verb.words(home))
    verb.finished(home, ended)
    return ended.trace


def points_of(trace: Sequence[str]) -> list[int]:
    """Return which effects to kill at: all of them, or a handful spread over their kinds."""
    if WHOLE_TIER:
        return list(range(1, len(trace) + 1))
    first = {name: number for number, name in reversed(list(enumerate(trace, 1)))}
    kinds = sorted(first.values())
    step = max(1, -(-len(kinds) // SOME_POINTS))
    return kinds[step // 2 :: step]


def kill_at(verb: Verb, home: Home, number: int) -> tuple[str, ...]:
    """Kill the verb at one effect, check what a crash must leave, and run it again.

    Returns the effects up to the kill.
    """
    verb.prepare(home)
    killed = home.run(*verb.words(home), at=number, signal=int(signal.SIGKILL))
    assert killed.code == -signal.SIGKILL, (killed.code, killed.said)
    no_request_without_an_intent(home)
    assert home.gate() == "UNSAFE" or verb.proved(home) or not home.sent("cancel")
    run_ids = [path.parent.name for path in home.journals()]
    board = home.run("status")
    if "record began" in killed.trace and not set(verb.over) & set(killed.trace):
        assert any(run_id in board.said for run_id in run_ids), board.said
    ended = verb.again(home) if verb.again else home.run(*verb.words(home))
    verb.finished(home, ended)
    no_request_without_an_intent(home)
    after = home.run("status")
    assert not any(run_id in after.said for run_id in run_ids), after.said
    audit = home.run("audit", "verify")
    assert audit.code == 0, audit.said
    return killed.trace


def no_request_without_an_intent(home: Home) -> None:
    """The exchange's own log must not show more changing requests than were journaled."""
    intents = sum(row["event"] == "intent" for row in home.records())
    arrived = len(home.sent("cancel")) + len(home.sent("create"))
    assert arrived <= intents, (arrived, intents)


def keep(name: str, row: dict[str, Any]) -> None:
    """Write a row of the table that the evidence shows. Only the whole tier does."""
    if not WHOLE_TIER:
        return
    with RESULTS.open("a+") as file:  # several workers write their rows into it
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        rows = json.loads(file.read() or "{}")
        rows[name] = row
        file.truncate(0)
        file.write(json.dumps(dict(sorted(rows.items())), indent=1) + "\n")


def sweep(verb: Verb, homes: Homes) -> None:
    """Kill at every chosen effect, a few accounts side by side; name every one that went wrong."""
    with homes() as home:
        trace = effects_of(verb, home)
    points = points_of(trace)
    assert len(points) > 1, trace

    def scenario(number: int) -> tuple[tuple[str, ...], str]:
        with homes() as home:
            try:
                return kill_at(verb, home, number)[-1:], ""
            except AssertionError as error:
                return (), f"effect {number} ({trace[number - 1]}): {error}"

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        ends = list(pool.map(scenario, points))
    wrong = [words for _, words in ends if words]
    assert not wrong, "\n".join(wrong)
    kinds = sorted({name for last, _ in ends for name in last})
    row = {"points": len(points), "effects": len(trace), "kinds": kinds, "held": len(points)}
    keep(f"kill -9: {verb.name}", row)
