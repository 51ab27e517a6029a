"""Absence is proved by reads that count, and by nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.model import Order, OrderStatus
from resyncctl.core.proof import (
    CONFIRM_AFTER_MS,
    ProofRead,
    judge_absence,
    pause_before_next_read,
    settle_orders,
)
from tests.core.test_plan import ALGO, LINEAR, SPOT, order

SCOPES = (SPOT, LINEAR, ALGO)


def read(
    began_ms: int, *, unexpected: tuple[Order, ...] = (), unreadable: tuple[int, ...] = ()
) -> ProofRead:
    bad = tuple((SCOPES[index], "timed out") for index in unreadable)
    return ProofRead(began_ms, unexpected, bad, SCOPES)


def proved(reads: list[ProofRead], *, not_before_ms: int = 1_000) -> bool:
    return judge_absence(
        reads,
        scopes=SCOPES,
        not_before_ms=not_before_ms,
        horizon_ms=40_000,
        required_reads=3,
    ).proved


@pytest.mark.invariant("I1")
def test_three_clean_reads_a_whole_horizon_after_the_last_landing_prove_it() -> None:
    assert proved([read(41_000), read(42_000), read(43_000)])
    assert proved([read(1_000, unreadable=(0, 1)), read(41_000), read(42_000), read(43_000)])


@pytest.mark.invariant("I1", "I2")
@pytest.mark.parametrize(
    "reads",
    [
        [],
        [read(41_000)],
        [read(1_000), read(41_000), read(42_000)],
        [read(1_000), read(2_000), read(3_000)],
        [read(1_000), read(21_000), read(41_000)],
        [read(40_999), read(42_000), read(43_000)],
        [read(41_000), read(42_000, unexpected=(order(1),)), read(43_000), read(44_000)],
        [read(21_000, unexpected=(order(1),)), read(41_000), read(42_000), read(43_000)],
        [read(41_000), read(42_000), read(43_000, unreadable=(2,))],
        [read(41_000, unreadable=(0,)), read(42_000), read(43_000)],
    ],
    ids=[
        "no read",
        "one read",
        "too few reads so late",
        "all reads within the horizon",
        "reads over the horizon, and only one after it",
        "one began before the horizon was over",
        "an unexpected order was seen once",
        "an unexpected order was seen within the horizon",
        "the last read of the algo scope failed",
        "the first read of the spot scope failed",
    ],
)
def test_anything_less_proves_nothing(reads: list[ProofRead]) -> None:
    assert not proved(reads)


@pytest.mark.invariant("I2")
def test_an_empty_manifest_proves_nothing() -> None:
    verdict = judge_absence([], scopes=(), not_before_ms=0, horizon_ms=0, required_reads=0)
    assert not verdict.proved
    assert verdict.missing == ("no scope is declared",)


@pytest.mark.invariant("I1")
def test_at_least_two_reads_are_always_asked_for() -> None:
    one = judge_absence(
        [read(1_000)], scopes=SCOPES, not_before_ms=0, horizon_ms=0, required_reads=1
    )
    assert not one.proved


@pytest.mark.invariant("I1")
def test_what_was_seen_before_the_last_landing_does_not_count() -> None:
    early = read(999, unexpected=(order(1),))
    assert proved([early, read(41_000), read(42_000), read(43_000)])


@given(
    now_ms=st.integers(0, 200_000),
    not_before_ms=st.integers(0, 100_000),
    horizon_ms=st.integers(0, 60_000),
    required_reads=st.integers(1, 9),
)
def test_a_pause_never_sleeps_over_the_end_of_the_horizon(
    now_ms: int, not_before_ms: int, horizon_ms: int, required_reads: int
) -> None:
    def pause(*, again: bool) -> int:
        return pause_before_next_read(
            now_ms=now_ms,
            not_before_ms=not_before_ms,
            horizon_ms=horizon_ms,
            required_reads=required_reads,
            again=again,
        )

    ends_ms = not_before_ms + horizon_ms
    assert pause(again=True) == min(CONFIRM_AFTER_MS, pause(again=False))
    if now_ms >= ends_ms:
        assert pause(again=False) == CONFIRM_AFTER_MS
    else:
        assert 0 < pause(again=False) <= ends_ms - now_ms
        assert pause(again=False) <= max(250, horizon_ms // max(1, required_reads - 1))


reads_strategy = st.lists(
    st.builds(
        read,
        st.integers(0, 100_000),
        unexpected=st.sampled_from([(), (order(1),)]),
        unreadable=st.sampled_from([(), (0,), (1, 2)]),
    ),
    max_size=8,
)


@pytest.mark.invariant("I7")
@given(reads_strategy, st.integers(0, 100_000), st.sampled_from([0, 1, 2]))
def test_one_more_failed_read_never_completes_a_proof(
    reads: list[ProofRead], began_ms: int, scope: int
) -> None:
    everything_failed = read(began_ms, unreadable=(0, 1, 2))
    assert proved([*reads, everything_failed]) <= proved(reads)
    seen = replace(read(began_ms), unexpected=(order(1),))
    if began_ms >= 1_000:
        assert not proved([*reads, seen])
    del scope


@pytest.mark.invariant("I3")
def test_only_a_terminal_status_settles_an_order() -> None:
    done = replace(order(1), status=OrderStatus.CANCELED)
    settled = settle_orders({"a": done, "b": order(2), "c": "no answer"})
    assert settled.terminal == (done,)
    assert settled.open_or_unknown == (
        ("b", "the exchange still reports ACCEPTED"),
        ("c", "no answer"),
    )
