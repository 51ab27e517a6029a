"""What runs unattended looks at the exchange and changes nothing there, whatever it finds."""

import pytest

from tests.process.harness import Home
from tests.process.sweeps import open_gate

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
LOOKING = (
    "status",
    "doctor",
    "venue show {account}",
    "reconcile {account}",
    "reconcile {account} --quiet --no-input",
    "verify {account} --engine-stopped --deadline 3s",
    "cancel-all {account} --dry-run",
    "flatten {account} --dry-run --into USDT",
)


@pytest.mark.invariant("I32", "I41")
def test_what_only_looks_changes_nothing_at_the_exchange(home: Home) -> None:
    open_gate(home)
    home.rest_orders()
    home.control("set_position", symbol="BTCUSDT", amount="0.05", entry_price="60000")
    before = home.control("truth")
    for words in LOOKING:
        ended = home.run(*words.format(account=home.account).split())
        assert ended.code not in {1, 2}, (words, ended.said)
        assert not [name for name in ended.trace if name.startswith("answer")], (words, ended.trace)
    assert not home.sent("cancel")
    assert not home.sent("create")
    after = home.control("truth")
    for part in ("open_orders", "open_algo_orders", "positions", "balances", "fills", "countdowns"):
        assert after[part] == before[part], part
