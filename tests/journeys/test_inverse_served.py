"""The real command line on inverse contracts, against the served practice exchange over TLS."""

import json
from pathlib import Path

import pytest

from tests.journeys.served_world import ACCOUNT, DemoWorld, served

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
WISH = {"market": "coinm", "symbol": "BTCUSD_PERP", "side": "BUY", "quantity": "9"}
STOP = {"side": "SELL", "type": "STOP_MARKET", "stop_price": "30000", "reduce_only": True}


def hold_contracts(world: DemoWorld, venue: str, scopes: str) -> None:
    """Let the account be one of COIN-M that holds contracts and rests orders."""
    text = world.config.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("scopes")]
    changed = [
        f'venue = "{venue}"\nscopes = {scopes}' if line.startswith("venue = ") else line
        for line in lines
    ]
    world.config.write_text("\n".join(changed) + "\n")
    call = world.control.call
    leg = {"symbol": "BTCUSD_PERP", "amount": "137", "entry_price": "59000"}
    call("set_position", account=ACCOUNT, **leg)
    call("seed_order", account=ACCOUNT, price="30000", **WISH)
    call("seed_order", account=ACCOUNT, **(WISH | STOP))


@pytest.mark.parametrize(
    ("venue", "scopes"), [("binancecoinm", "[]"), ("binance", '["spot", "inverse"]')]
)
async def test_contracts_are_shown_and_flattened(tmp_path: Path, venue: str, scopes: str) -> None:
    async with served(tmp_path) as world:
        hold_contracts(world, venue, scopes)
        shown = await world.command("venue", "show", ACCOUNT)
        assert shown.code == 0, shown.out + shown.err
        assert "BTC/USD:BTC" in shown.out
        assert "137" in shown.out
        words = ("--confirm", ACCOUNT, "--reason", "lost the stream", "--protective", "cancel")
        into = ("--symbol", "BTC/USD:BTC")
        ran = await world.command("flatten", ACCOUNT, *words, *into, "--json")
        assert ran.code == 0, ran.out + ran.err
        (account,) = json.loads(ran.out)["accounts"]
        assert account["status"] == "flat"
        truth = world.control.call("truth", account=ACCOUNT)
        assert truth["positions"] == []
        assert truth["open_orders"] == truth["open_algo_orders"] == []


async def test_contracts_are_cancelled_and_proved(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        hold_contracts(world, "binancecoinm", "[]")
        words = ("--yes", "--reason", "emergency", "--include-protective")
        ran = await world.command("cancel-all", ACCOUNT, *words)
        assert ran.code == 0, ran.out + ran.err
        assert world.orders() == []
