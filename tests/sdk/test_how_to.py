"""The bot of the how-to page, run as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from resyncctl.adapters.engine.checkpoint import CheckpointEngine
from resyncctl.core.model import OrderStatus
from resyncctl.core.snapshot import EngineSnapshot, Known
from resyncctl.sdk import read_checkpoint, write_gate
from resyncctl.sdk.writer import wall_clock_ms

PAGE = Path(__file__).parents[2] / "docs/how-to/make-your-bot-recoverable.md"

MY_EXCHANGE = '''
"""A pretended exchange whose book is a file, so that it outlives the bot."""
import json, os, pathlib, time
from decimal import Decimal

BOOK = pathlib.Path("book.json")
ROUNDS = iter(range(int(os.environ["ROUNDS"])))
FILLS = iter(json.loads(os.environ.get("FILLS", "[]")))
now_ms = lambda: time.time_ns() // 1_000_000
closing = lambda: next(ROUNDS, None) is None
balances = lambda: {"EUR": (Decimal(1000), Decimal(0))}
best_bid = lambda: Decimal("50000.5")
wait = lambda: None
book = lambda: json.loads(BOOK.read_text()) if BOOK.exists() else {}
find = lambda client_id: book().get(client_id)

def create(order):
    exchange_id = f"X{len(book()) + 1}"
    BOOK.write_text(json.dumps({**book(), order.client_id: exchange_id}))
    match os.environ.get("ANSWER", "ack"):
        case "timeout":
            raise TimeoutError
        case "die":
            os._exit(9)
    return exchange_id

def new_trades():
    amount = next(FILLS, None) if book() else None
    if amount is not None:
        client_id = list(book())[-1]
        yield client_id, {
            "trade_id": f"T{amount}", "symbol": "BTC/EUR", "side": "buy",
            "price": Decimal("50000.5"), "amount": Decimal(amount), "at_ms": now_ms(),
            "fee": (("EUR", Decimal("0.25")),),
        }
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "bot.py").write_text(code, encoding="utf-8")
    (tmp_path / "my_exchange.py").write_text(MY_EXCHANGE, encoding="utf-8")
    return tmp_path


def live(folder: Path, rounds: int, **environment: str) -> int:
    ran = subprocess.run(
        [sys.executable, "bot.py"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(Path("src").absolute()),
            "ROUNDS": str(rounds),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stderr == ""
    return ran.returncode


def open_gate(folder: Path) -> None:
    write_gate(
        folder / "gate.json",
        account="main",
        state="RUNNING",
        reason="test",
        by="test",
        run_id="r",
        now_ms=wall_clock_ms(),
    )


def belief(folder: Path) -> EngineSnapshot:
    engine = CheckpointEngine(folder / "bot.json", exchange="kraken")
    return engine.read("main", wall_clock_ms())


def orders(folder: Path) -> list[tuple[str | None, OrderStatus]]:
    section = belief(folder).orders
    assert isinstance(section, Known)
    return [(order.venue_order_id, order.status) for order in section.data]


@pytest.mark.process
def test_the_bot_of_the_page_is_about_thirty_lines_and_needs_only_the_sdk(folder: Path) -> None:
    code = (folder / "bot.py").read_text()
    assert len(code.splitlines()) <= 40
    imported = {
        line.split()[1] for line in code.splitlines() if line.startswith(("import", "from"))
    }
    assert imported == {"time", "decimal", "my_exchange", "resyncctl.sdk"}


@pytest.mark.process
def test_without_a_gate_nothing_is_sent(folder: Path) -> None:
    assert live(folder, 3) == 0
    assert not (folder / "book.json").exists()
    assert orders(folder) == []
    assert belief(folder).trouble == ()


@pytest.mark.process
def test_it_quotes_books_fills_and_stops_cleanly(folder: Path) -> None:
    open_gate(folder)
    assert live(folder, 3, FILLS='["0.004"]') == 0
    assert orders(folder) == [("X1", OrderStatus.PARTIALLY_FILLED)]
    assert live(folder, 3, FILLS='["0.004", "0.006"]') == 0
    assert orders(folder)[0] == ("X1", OrderStatus.FILLED)
    found = read_checkpoint(folder / "bot.json")
    assert found.clean_shutdown
    assert len(found.rows("fills") or []) == 2


@pytest.mark.process
@pytest.mark.parametrize(("answer", "code"), [("die", 9), ("timeout", 0)])
def test_an_order_without_an_answer_is_found_and_not_sent_again(
    folder: Path, answer: str, code: int
) -> None:
    open_gate(folder)
    assert live(folder, 1, ANSWER=answer) == code
    assert orders(folder) == [(None, OrderStatus.SUBMITTED)]
    assert not read_checkpoint(folder / "bot.json").clean_shutdown
    assert live(folder, 2) == 0
    assert orders(folder) == [("X1", OrderStatus.ACCEPTED)]
    assert list(json.loads((folder / "book.json").read_text()).values()) == ["X1"]
