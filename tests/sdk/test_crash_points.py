"""A process that dies before or after any single step of a write leaves the old or the new state.

The steps are enumerated, not sampled: a child process makes one write and ends itself at the n-th
call that touches the disk, for every n until the write gets through.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from resyncctl.sdk import history
from resyncctl.sdk.checkpoint import load_file, read_checkpoint
from resyncctl.sdk.gate import read_gate, write_gate
from resyncctl.sdk.writer import CheckpointWriter
from tests.sdk.samples import NOW_MS, content, ticking, write_generations

STEPS = ("open", "fsync", "link", "replace", "unlink", "fchmod", "ftruncate", "pwrite", "truncate")
DIED, THROUGH = 7, 0


def _die_at(number: int, *, after: bool) -> None:
    """Let this process end before, or right after, its n-th step."""
    count = iter(range(1_000_000))

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            mine = next(count) == number
            if mine and not after:
                os._exit(DIED)
            try:
                return real(*arguments, **named)
            finally:
                if mine:
                    os._exit(DIED)

        return step

    for name in STEPS:
        setattr(os, name, wrap(getattr(os, name)))


def _in_a_child(number: int, act: Callable[[], object], *, after: bool) -> int:
    child = os.fork()
    if child == 0:
        _live(number, act, after=after)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _live(number: int, act: Callable[[], object], *, after: bool) -> NoReturn:
    try:
        _die_at(number, after=after)
        act()
    except BaseException:  # noqa: BLE001  # a child of a test may only end by its code
        os._exit(99)
    os._exit(THROUGH)


@pytest.mark.parametrize("after", [False, True])
def test_a_checkpoint_survives_death_at_every_step(tmp_path: Path, *, after: bool) -> None:
    died = 0
    for number in range(200):
        path = tmp_path / f"{number}.json"
        write_generations(path, 11)
        before = read_checkpoint(path)

        def write(place: Path = path) -> None:
            with CheckpointWriter(place, now_ms=ticking(NOW_MS + 99)) as writer:
                writer.write(content(clean_shutdown=True))

        code = _in_a_child(number, write, after=after)
        assert code in {DIED, THROUGH}
        left = read_checkpoint(path)
        assert left.fallback is None
        assert left.sequence in {11, 12}
        assert left.sequence == 12 or left.document == before.document
        write_generations(path, 1)
        found = read_checkpoint(path)
        assert (found.sequence, found.prev_sha256) == (left.sequence + 1, left.sha256)
        assert len(history.generations(path)) <= 11
        kept = load_file(history.generation_path(path, found.sequence))
        assert kept.sha256 == found.sha256
        if code == THROUGH:
            break
        died += 1
    assert died > 12


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("state", "opens"), [("UNSAFE", False), ("RUNNING", True)])
def test_a_gate_survives_death_at_every_step(
    tmp_path: Path, state: str, *, opens: bool, after: bool
) -> None:
    died = 0
    for number in range(100):
        path = tmp_path / f"{number}.json"

        def move(to: str, place: Path = path) -> None:
            write_gate(
                place, account="main", state=to, reason="r", by="b", run_id="r", now_ms=NOW_MS
            )

        move("RUNNING" if not opens else "SAFE")
        code = _in_a_child(number, lambda: move(state), after=after)
        assert code in {DIED, THROUGH}
        status = read_gate(path, "main")
        assert status.trusted
        assert status.sequence in {1, 2}
        if code == THROUGH:
            assert status.permits_orders is opens
            break
        died += 1
    assert died > 4
