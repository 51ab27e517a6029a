"""Every invariant has a test that guards it, and no test claims to guard what does not exist."""

from pathlib import Path

import pytest

from tests.evidence import report
from tests.evidence.registry import NOT_BUILT, by_invariant, guards, invariants
from tests.evidence.storm_words import ablation_lines, campaign_lines


def test_the_invariants_are_all_written_out() -> None:
    rows = invariants()
    assert [row.id for row in rows] == [f"I{number}" for number in range(1, 48)]
    for row in rows:
        assert row.status in {"built", "partly built", NOT_BUILT}, row.id
        assert row.words.endswith("."), row.id
        assert bool(row.note) == (row.status != "built"), row.id


def test_every_invariant_has_a_test_or_says_that_it_is_not_built() -> None:
    found = by_invariant(guards())
    built = {row.id for row in invariants() if row.status != NOT_BUILT}
    assert not sorted(built - set(found)), "no test guards these"
    assert not sorted((set(found) - built) & {row.id for row in invariants()}), "built after all"


def test_every_marker_names_an_invariant() -> None:
    known = {row.id for row in invariants()}
    wrong = [
        f"{guard.file}::{guard.test} {guard.numbers}"
        for guard in guards()
        if not guard.numbers or not set(guard.numbers) <= known
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('@pytest.mark.invariant("I1", "I2")\ndef test_a(): ...\n', [("I1", "I2")]),
        ('pytestmark = pytest.mark.invariant("I9")\nasync def test_a(): ...\n', [("I9",)]),
        (
            'import x\npytestmark = [pytest.mark.invariant("I9")]\n@x("I1")\ndef test_a(): ...\n',
            [("I9",)],
        ),
        ("@pytest.mark.invariant\ndef test_a(): ...\n", [()]),
        ("def test_a(): ...\n", []),
    ],
)
def test_markers_are_read_where_they_stand(
    tmp_path: Path, text: str, numbers: list[tuple[str, ...]]
) -> None:
    (tmp_path / "test_sample.py").write_text(text)
    assert [guard.numbers for guard in guards(tmp_path)] == numbers


def test_the_page_is_what_the_committed_data_make() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page(), "run `make evidence`"


def test_figures_of_the_storm_are_told_with_their_bound() -> None:
    campaign = {
        "seeds": 3000,
        "profile": "4 % faults",
        "false_safe": 0,
        "flips": 1,
        "verdicts": {"resync SAFE": 2900, "resync UNKNOWN": 100},
        "unknown_rate": 0.0333,
        "unknown_reasons": {"a scope was never readable": 100},
        "cells_hit": 40,
        "cells_reachable": 50,
        "time_to_safe": {"p50": 41.5, "max": 200},
    }
    text = "\n".join(campaign_lines(campaign))
    assert "0 (95 % bound: fewer than 0.001 for each run of the model)" in text
    assert "through our orders | 1 |" in text
    assert "| resync UNKNOWN | 100 (3.3%) |" in text
    assert "| share of seeds that ended UNKNOWN | 3.33% |" in text
    assert "- 100 times: a scope was never readable" in text
    assert "| 4 % faults | 40 | 50 |" in text
    assert "p50 41.5 s, max 200.0 s" in text


def test_an_ablation_that_changes_nothing_is_not_hidden() -> None:
    rows = [
        {"names": ["a", "b"], "seeds_run": 10, "red": 2, "first_red_seed": 4, "explanation": ""},
        {"names": ["c"], "seeds_run": 10, "red": 0, "first_red_seed": None, "explanation": "why"},
    ]
    text = "\n".join(ablation_lines(rows))
    assert "| a + b | 10 | 2 | 4 |  |" in text
    assert "| c | 10 | 0 | - | why |" in text
    assert "2 ablations, 1 turned seeds red." in text


def test_what_was_not_run_says_so() -> None:
    assert "Not run yet." in "\n".join(campaign_lines(None))
    assert "Not run yet." in "\n".join(ablation_lines(None))
