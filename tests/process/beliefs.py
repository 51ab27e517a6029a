"""What an engine would have written down that stopped just before a scenario begins."""

import json
import time

from resyncctl.sdk import Recoverable
from tests.cli.desk import amount
from tests.process.harness import Home

A_DAY_MS = 24 * 3600 * 1000


def write_belief(home: Home) -> None:
    """Write a checkpoint that holds what the exchange reports now, without any order."""
    shown = home.run("venue", "show", home.account, "--json")
    assert shown.code == 0, shown.said
    document = json.loads(shown.out)
    now_ms = time.time_ns() // 1_000_000
    with Recoverable(
        home.folder / "checkpoint.json",
        home.folder / "gate.json",
        account=home.account,
        exchange="binance",
        products=("spot", "linear"),
    ) as state:
        state.history_read(now_ms - 2 * A_DAY_MS)
        for product in document["scopes"]:
            rows = {row["asset"]: amount(row) for row in product["balances"]["data"]}
            state.set_balances(product["product"], rows, as_of_ms=now_ms)
            state.set_positions(product["product"], [])
        state.declare_complete()
