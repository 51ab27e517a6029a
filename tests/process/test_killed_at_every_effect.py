"""kill -9 at every k-th effect: a durable record, a gate file, or an answered request."""

from collections.abc import Callable

import pytest

from tests.process.harness import Ended, Home
from tests.process.sweeps import Verb, open_gate, sweep

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(900)]


def resting(home: Home) -> None:
    open_gate(home)
    home.rest_orders()


def cancel_words(home: Home) -> tuple[str, ...]:
    return ("cancel-all", home.account, "--yes", "--reason", "killed on purpose")


def all_cancelled(home: Home, ended: Ended) -> None:
    assert ended.code == 0, ended.said
    assert not home.orders()
    assert not home.sent("create")
    assert home.gate() == "UNSAFE"


CANCEL_ALL = Verb(
    name="cancel-all",
    words=cancel_words,
    prepare=resting,
    finished=all_cancelled,
    proved=lambda home: False,
    over=("record ended", "record cancel_all_ended"),
)


@pytest.mark.invariant("I12", "I23", "I24", "I25", "I26", "I28")
def test_cancel_all(homes: Callable[[], Home]) -> None:
    sweep(CANCEL_ALL, homes)
