"""Exit codes are an interface: their values, their precedence, and the promise of no mutation."""

import itertools

import pytest

from resyncctl.core.exit_codes import MEANINGS, NO_MUTATION, ExitCode, combine, nagios_code


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_the_promise_covers_exactly_the_published_codes() -> None:
    published = {2, *range(20, 26), 65, 69, 74, 75, 77, 78, 124}
    assert {int(code) for code in NO_MUTATION} == published


@pytest.mark.invariant("I9")
def test_precedence_of_several_accounts() -> None:
    order = [
        ExitCode.RESIDUAL,
        ExitCode.INTERNAL,
        ExitCode.BLOCKED,
        ExitCode.INCOMPLETE,
        ExitCode.PARTIAL,
        ExitCode.DISCREPANCIES,
        ExitCode.MISSED,
        ExitCode.OK,
    ]
    for better, worse in itertools.combinations(reversed(order), 2):
        assert combine([better, worse], mutated=True) is worse


def test_a_failed_account_beside_a_good_one_is_partial_and_never_ok() -> None:
    for code in NO_MUTATION:
        assert combine([ExitCode.OK, code], mutated=False) is ExitCode.PARTIAL
        assert combine([code, code], mutated=False) is code
        assert combine([code, code], mutated=True) is ExitCode.RESIDUAL
    assert combine([ExitCode.BLOCKED, ExitCode.LOCKED], mutated=False) is ExitCode.BLOCKED
    assert combine([ExitCode.LOCKED, ExitCode.NOPERM], mutated=False) is ExitCode.INCOMPLETE
    assert combine([], mutated=False) is ExitCode.OK


@pytest.mark.invariant("I9")
def test_no_combination_breaks_the_promise_or_invents_success() -> None:
    for left, right in itertools.product(ExitCode, repeat=2):
        whole = combine([left, right], mutated=True)
        assert whole not in NO_MUTATION or ExitCode.OK not in {left, right}
        if whole is ExitCode.OK:
            assert left is right is ExitCode.OK


def test_nagios_knows_four_words_and_everything_odd_is_unknown() -> None:
    assert nagios_code(ExitCode.OK) == 0
    assert nagios_code(ExitCode.DISCREPANCIES) == 1
    assert nagios_code(ExitCode.BLOCKED) == 2
    assert nagios_code(ExitCode.INCOMPLETE) == 3
    assert {nagios_code(code) for code in NO_MUTATION} == {3}
