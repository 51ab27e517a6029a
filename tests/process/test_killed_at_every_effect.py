"""kill -9 at every k-th effect: a durable record, a gate file, or an answered request."""

from decimal import Decimal
from typing import Any

import pytest

from tests.process.beliefs import write_belief
from tests.process.harness import Ended, Home
from tests.process.sweeps import Homes, Verb, open_gate, sweep

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(1800)]


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
def test_cancel_all(homes: Homes) -> None:
    sweep(CANCEL_ALL, homes)


def holding(home: Home) -> None:
    """A long, a short and a spot asset, with orders of the engine's that rest."""
    resting(home)
    home.control("set_position", symbol="BTCUSDT", amount="0.05", entry_price="60000")
    home.control("set_position", symbol="ETHUSDT", amount="-0.5", entry_price="3000")
    home.control("deposit", asset="BNB", amount="2", market="spot")


def flatten_words(home: Home) -> tuple[str, ...]:
    return (
        *("flatten", home.account, "--into", "USDT", "--max-slippage", "0.01"),
        *("--confirm", home.account, "--reason", "killed on purpose"),
    )


def flat(home: Home, ended: Ended) -> None:
    assert ended.code == 0, ended.said
    truth = home.control("truth")
    assert not truth["positions"]
    assert not home.orders()
    assert home.gate() == "UNSAFE"
    reduced_exactly_once(truth["fills"], "BTCUSDT", "0.05")
    reduced_exactly_once(truth["fills"], "ETHUSDT", "0.5")


def reduced_exactly_once(fills: list[dict[str, Any]], symbol: str, quantity: str) -> None:
    """No duplicate effect: what was traded is what was held, so nothing flipped on the way."""
    traded = [fill for fill in fills if fill["symbol"] == symbol and fill["market"] == "usdm"]
    assert sum(Decimal(fill["quantity"]) for fill in traded) == Decimal(quantity), traded
    assert len({fill["side"] for fill in traded}) == 1, traded


FLATTEN = Verb(
    name="flatten",
    words=flatten_words,
    prepare=holding,
    finished=flat,
    proved=lambda home: False,
    over=("record ended", "record flatten_ended"),
)


@pytest.mark.invariant("I16", "I17", "I19", "I23", "I25", "I26")
def test_flatten(homes: Homes) -> None:
    sweep(FLATTEN, homes)


def believed(home: Home) -> None:
    """An engine that wrote down everything but the orders that it sent at last."""
    write_belief(home)
    resting(home)


def resync_words(home: Home) -> tuple[str, ...]:
    return ("resync", home.account, "--reason", "killed on purpose", "--engine-stopped", "--yes")


def safe(home: Home, ended: Ended) -> None:
    assert ended.code == 0, ended.said
    assert not home.orders()
    assert not home.sent("create")
    assert home.gate() == "SAFE"


def proved_safe(home: Home) -> bool:
    """Whether the journal holds the judgement that allows the gate to stand where it stands."""
    return any(row["event"] in {"gate_opening", "gate_moving"} for row in home.records())


RESYNC = Verb(
    name="resync",
    words=resync_words,
    prepare=believed,
    finished=safe,
    proved=proved_safe,
    over=("record ended", "record resync_ended"),
)


@pytest.mark.invariant("I11", "I12", "I25", "I26", "I28")
def test_resync(homes: Homes) -> None:
    sweep(RESYNC, homes)


def ready_to_resume(home: Home) -> None:
    """A closed gate and an account on which both sides agree."""
    write_belief(home)
    closed = home.run("gate", "close", home.account, "--reason", "an incident")
    assert closed.code == 0, closed.said


def resume_words(home: Home) -> tuple[str, ...]:
    return (
        *("verify", home.account, "--resume", "--confirm", home.account, "--no-watch"),
        *("--engine-stopped", "--reason", "killed on purpose"),
    )


def resumed_as_told(home: Home) -> Ended:
    """Run the resume again; where it names a step to take first, take it and run once more.

    A kill between the two copies of a gate leaves one of them behind. Then nothing is known about
    the gate, the engine may not trade, and the tool asks to close it before it is opened again.
    """
    ended = home.run(*resume_words(home))
    step = f"next: resyncctl gate close {home.account}"
    if ended.code == 12 and step in ended.said:
        assert home.gate() != "RUNNING"
        assert home.run("gate", "close", home.account, "--reason", "as told").code == 0
        ended = home.run(*resume_words(home))
    return ended


def trading(home: Home, ended: Ended) -> None:
    # A kill after the last step: the gate is open, which the second run says and leaves alone.
    assert ended.code == 0 or "the gate is RUNNING already" in ended.said, ended.said
    assert home.gate() == "RUNNING"
    assert not home.sent("create")
    assert not home.sent("cancel")


RESUME = Verb(
    name="verify --resume",
    words=resume_words,
    prepare=ready_to_resume,
    finished=trading,
    proved=proved_safe,
    again=resumed_as_told,
)


@pytest.mark.invariant("I5", "I11", "I25", "I28")
def test_verify_and_resume(homes: Homes) -> None:
    sweep(RESUME, homes)
