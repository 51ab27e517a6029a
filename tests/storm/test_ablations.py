"""A world that shows a protection is calm with it, and breaks a promise without it."""

import pytest

from tests.storm.ablations import ABLATIONS, run_left_out

ABLATED = {one.name: one for one in ABLATIONS}


@pytest.mark.parametrize(
    ("name", "seed", "invariant"),
    [
        ("gate", 5, "I1"),
        ("errors_are_unknown", 2, "I1"),
        ("body_guard", 9, "I1"),
        ("deadline", 22, "I17"),
        ("lease", 9, "I17"),
    ],
)
def test_only_what_is_left_out_makes_its_world_red(name: str, seed: int, invariant: str) -> None:
    one = ABLATED[name]
    assert not run_left_out([one], seed, "harsh", intact=True).violations
    broken = {found.invariant for found in run_left_out([one], seed, "harsh").violations}
    assert invariant in broken
