"""What wiring makes of the configuration, where no exchange is needed to see it."""

from dataclasses import replace
from pathlib import Path

import pytest

from resyncctl.cli.wiring import NoEngine, _sandbox, _scopes
from resyncctl.core.errors import ConfigurationError
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.snapshot import Unknown
from resyncctl.settings.specs import AccountSpec, CredentialReference, Mode


def spec(venue: str, *scopes: str) -> AccountSpec:
    return AccountSpec(
        name="main",
        venue=venue,
        mode=Mode.LIVE,
        credentials=CredentialReference(source="file", path=Path("/k")),
        scopes=scopes,
    )


def test_no_scope_means_every_scope() -> None:
    assert _scopes(spec("binance")) == ()


def test_a_product_means_all_of_its_order_classes() -> None:
    assert _scopes(spec("binance", "spot", "linear")) == (Scope("spot"), Scope("linear"))
    every = {scope.product for scope in _scopes(spec("bybit", "spot"))}
    assert every == {"spot"}
    classes = {scope.order_class for scope in _scopes(spec("bybit", "linear"))}
    assert OrderClass.REGULAR in classes


def test_an_order_class_can_be_named() -> None:
    assert _scopes(spec("binanceusdm", "linear/algo")) == (Scope("linear", OrderClass.ALGO),)
    with pytest.raises(ConfigurationError, match="order class") as caught:
        _scopes(spec("binanceusdm", "linear/algos"))
    assert "algo" in (caught.value.hint or "")


def test_an_account_without_an_engine_is_not_known_and_never_empty() -> None:
    snapshot = NoEngine().read("main", 5)
    for section in (snapshot.orders, snapshot.fills, snapshot.positions, snapshot.balances):
        assert isinstance(section, Unknown)


@pytest.mark.parametrize(
    ("mode", "sandbox"), [(Mode.LIVE, False), (Mode.TESTNET, True), (Mode.PRACTICE, None)]
)
def test_a_belief_must_be_about_the_world_of_its_account(mode: Mode, sandbox: bool | None) -> None:
    assert _sandbox(replace(spec("binance"), mode=mode)) is sandbox
