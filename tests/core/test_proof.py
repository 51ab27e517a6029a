"""Absence is proved by reads that count, and by nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.model import Order, OrderStatus
from resyncctl.core.proof import ProofRead, judge_absence, settle_orders
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
def test_three_clean_reads_over_the_horizon_prove_it() -> None:
    assert proved([read(1_000), read(21_000), read(41_000)])


@pytest.mark.invariant("I1", "I2")
@pytest.mark.parametrize(
    "reads",
    [
        [],
        [read(1_000)],
        [read(1_000), read(41_000)],
        [read(1_000), read(2_000), read(3_000)],
        [read(999), read(21_000), read(41_000)],
        [read(1_000), read(21_000, unexpected=(order(1),)), read(41_000)],
        [read(1_000), read(21_000), read(41_000, unreadable=(2,))],
        [read(1_000, unreadable=(0,)), read(21_000), read(41_000)],
    ],
    ids=[
        "no read",
        "one read",
        "too few reads",
        "too short a span",
        "one began before the last request could land",
        "an unexpected order was seen once",
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
