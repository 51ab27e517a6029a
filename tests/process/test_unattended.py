"""What runs unattended looks at the exchange and changes nothing there, whatever it finds."""

import pytest

from tests.process.harness import Home
from tests.process.sweeps import open_gate

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.invariant("I32")
@pytest.mark.parametrize(
    "words",
    [
        ("reconcile", "{account}"),
        ("reconcile", "{account}", "-q", "--no-input"),
        ("status",),
        ("cancel-all", "{account}", "--dry-run"),
        ("flatten", "{account}", "--dry-run", "--into", "USDT"),
        ("venue", "show", "{account}"),
        ("doctor",),
    ],
)
def test_what_only_looks_changes_nothing_at_the_exchange(
    home: Home, words: tuple[str, ...]
) -> None:
    open_gate(home)
    home.rest_orders()
    home.control("set_position", symbol="BTCUSDT", amount="0.05", entry_price="60000")
    before = home.control("truth")["positions"]
    ended = home.run(*(word.format(account=home.account) for word in words))
    assert ended.code not in {1, 2}, ended.said
    assert not home.sent("cancel")
    assert not home.sent("create")
    assert not [name for name in ended.trace if name.startswith("answer")], ended.trace
    assert len(home.orders()) == 6
    assert home.control("truth")["positions"] == before
