"""What a proof says of itself: how many readings, over what span, and what is missing."""

from resyncctl.core.proof import Proof, ProofRead, judge_absence
from tests.core.test_plan import LINEAR, SPOT, order


def judged(*reads: ProofRead, required_reads: int = 2) -> Proof:
    return judge_absence(
        reads,
        scopes=(SPOT, LINEAR),
        not_before_ms=0,
        horizon_ms=100,
        required_reads=required_reads,
    )


def test_the_weakest_scope_counts() -> None:
    partly = ProofRead(150, (), ((LINEAR, "timed out"),), (SPOT, LINEAR))
    whole = ProofRead(100, (), (), (SPOT, LINEAR))
    late = ProofRead(170, (), (), (SPOT, LINEAR))
    verdict = judged(
        partly,
        whole,
        late,
        ProofRead(190, (), ((SPOT, "cut off"),), (SPOT, LINEAR)),
        required_reads=4,
    )
    assert verdict.valid_reads == 3
    assert verdict.spanned_ms == 170
    assert verdict.missing == (
        f"{SPOT}: 3 of 4 valid reads after 100 ms",
        f"{LINEAR}: 3 of 4 valid reads after 100 ms",
    )


def test_the_weaker_first_scope_is_not_hidden_by_the_later_one() -> None:
    reads = [
        ProofRead(100, (), ((SPOT, "cut off"),), (SPOT, LINEAR)),
        ProofRead(200, (), (), (SPOT, LINEAR)),
        ProofRead(300, (), (), (SPOT, LINEAR)),
    ]
    verdict = judged(*reads)
    assert (verdict.valid_reads, verdict.spanned_ms) == (2, 300)
    assert verdict.proved


def test_reads_within_the_horizon_say_how_far_they_are() -> None:
    reads = [ProofRead(at_ms, (), (), (SPOT, LINEAR)) for at_ms in (0, 50, 99)]
    verdict = judged(*reads)
    assert (verdict.valid_reads, verdict.spanned_ms) == (0, 99)
    assert verdict.missing == (
        f"{SPOT}: read over 99 of 100 ms",
        f"{LINEAR}: read over 99 of 100 ms",
    )


def test_nothing_read_is_nothing_counted() -> None:
    verdict = judged()
    assert (verdict.valid_reads, verdict.spanned_ms) == (0, 0)
    none = judge_absence([], scopes=(), not_before_ms=0, horizon_ms=0, required_reads=2)
    assert (none.valid_reads, none.spanned_ms) == (0, 0)


def test_exactly_two_readings_are_enough_when_one_was_asked_for() -> None:
    reads = [ProofRead(at_ms, (), (), (SPOT, LINEAR)) for at_ms in (100, 101)]
    assert judged(*reads, required_reads=1).proved
    assert judged(reads[0], required_reads=1).missing == (
        f"{SPOT}: 1 of 2 valid reads after 100 ms",
        f"{LINEAR}: 1 of 2 valid reads after 100 ms",
    )


def test_a_scope_that_a_reading_did_not_ask_for_was_not_read() -> None:
    narrow = [ProofRead(at_ms, (), (), (SPOT,)) for at_ms in (100, 150, 200)]
    assert not judged(*narrow).proved
    assert judged(*narrow).valid_reads == 0
    assert judged(*narrow).spanned_ms == 0


def test_one_order_seen_twice_is_one_order() -> None:
    reads = [ProofRead(at_ms, (order(1),), (), (SPOT, LINEAR)) for at_ms in (100, 150)]
    assert judged(*reads).missing == ("1 unexpected orders were seen",)
