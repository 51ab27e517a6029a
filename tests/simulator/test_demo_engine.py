"""The demo engine as a process of its own: it quotes, it obeys the gate, it can be killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from resyncctl.sdk import (
    Checkpoint,
    read_acknowledgement,
    read_checkpoint,
    read_gate,
    write_gate,
)
from resyncctl.sdk.shape import TERMINAL_STATES
from resyncctl.simulator.control_client import PracticeControl
from resyncctl.simulator.engine.config import EngineConfig, Pair
from resyncctl.simulator.engine.control import EngineControl, read_control_file

pytestmark = [pytest.mark.process, pytest.mark.slow]

ACCOUNTS = ["quoting", "gate", "killed", "faults", "stop", "second", "door", "trigger"]
PAIRS = (
    Pair("BTC/USDT", "0.001"),
    Pair("ETH/USDT", "0.01"),
    Pair("BTC/USDT:USDT", "0.002", stop_distance="0.02"),
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": "src"}


def until(what: str, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"this did not happen within {seconds} s: {what}")
        time.sleep(0.05)
    return found


@dataclass
class Bot:
    """One account with its engine, which can be started, killed and asked."""

    config: EngineConfig
    path: Path
    venue: PracticeControl
    running: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def account(self) -> str:
        return self.config.account

    def move_gate(self, state: str) -> None:
        write_gate(
            self.config.gate_file,
            account=self.account,
            state=state,
            reason="the test",
            by="test",
            run_id="r",
            now_ms=time.time_ns() // 1_000_000,
        )

    def start(self) -> "subprocess.Popen[str]":
        Path(self.config.control_file).unlink(missing_ok=True)
        self.config.save(self.path)
        process = subprocess.Popen(
            [sys.executable, "-m", "resyncctl.simulator.engine", "--config", str(self.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        self.running.append(process)
        return process

    def kill(self) -> None:
        process = self.running[-1]
        process.kill()
        process.communicate()

    def control(self) -> EngineControl:
        path = Path(self.config.control_file)
        until("the engine has opened its door", path.exists)
        return read_control_file(path)

    def checkpoint(self) -> Checkpoint:
        return read_checkpoint(self.config.checkpoint, account_ref=self.account)

    def live(self) -> dict[str, dict[str, Any]]:
        rows = self.checkpoint().rows("orders") or []
        return {str(row["client_id"]): row for row in rows if row["state"] not in TERMINAL_STATES}

    def protected(self) -> bool:
        """Whether every position names a stop."""
        positions = self.checkpoint().rows("positions") or []
        return all(row.get("protective_order_ids") for row in positions)

    def balances(self) -> dict[tuple[str, str], str]:
        rows = self.checkpoint().rows("balances") or []
        return {(str(row["product"]), str(row["asset"])): str(row["total"]) for row in rows}

    def resting(self) -> dict[str, dict[str, Any]]:
        rows = self.venue.call("open_orders", account=self.account)
        return {row["client_order_id"]: row for row in rows}

    def settled(self, orders: int) -> bool:
        """Whether the book shows so many live orders, all acknowledged and all resting."""
        if not Path(self.config.checkpoint).exists():
            return False
        live = self.live()
        known = all(row["state"] in {"open", "partially_filled"} for row in live.values())
        return known and len(live) == orders and live.keys() == self.resting().keys()


@pytest.fixture(scope="module")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("venue")
    arguments = ["--state-dir", str(folder), "--symbols", "20"]
    for account in ACCOUNTS:
        arguments += ["--account", account]
    with subprocess.Popen(
        [sys.executable, "-m", "resyncctl.simulator", *arguments],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        path = folder / "ready.json"
        control = PracticeControl.from_ready_file(path)
        for symbol, price in (("BTCUSDT", "60000"), ("ETHUSDT", "3000")):
            control.call("set_price", symbol=symbol, price=price)
        for market in ("spot", "usdm"):
            # Many impatient engines share one address here.
            control.call("set_weight_limit", market=market, per_minute=1_000_000)
        try:
            yield path
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def bots(ready_file: Path, tmp_path: Path) -> Iterator[Callable[[str], Bot]]:
    ready = json.loads(ready_file.read_text())
    venue = PracticeControl.from_ready_file(ready_file)
    made: list[Bot] = []

    def make(account: str) -> Bot:
        row = next(row for row in ready["accounts"] if row["name"] == account)
        config = EngineConfig(
            account=account,
            address=ready["address"],
            ca_file=ready["ca_file"],
            api_key_file=row["api_key_file"],
            api_secret_file=row["api_secret_file"],
            checkpoint=str(tmp_path / "bot.json"),
            gate_file=str(tmp_path / "gate.json"),
            control_file=str(tmp_path / "engine.json"),
            pairs=PAIRS,
            interval_ms=100,
            request_validity_ms=1_000,
        )
        made.append(Bot(config, tmp_path / "config.json", venue))
        return made[-1]

    yield make
    venue.call("clear_faults")
    venue.network("turn", weather="healthy")
    for bot in made:
        for process in bot.running:
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_it_quotes_both_sides_fills_are_booked_and_the_position_is_protected(
    bots: Callable[[str], Bot],
) -> None:
    bot = bots("quoting")
    bot.move_gate("RUNNING")
    bot.start()
    until("two quotes for each pair", lambda: bot.settled(6))
    mine = next(
        row for row in bot.resting().values() if row["market"] == "usdm" and row["side"] == "SELL"
    )
    bot.venue.call("fill", order=mine)
    until("the quote is back and a stop protects the position", lambda: bot.settled(7))
    until("the position names its stop", bot.protected)
    found = bot.checkpoint()
    (position,) = found.rows("positions") or []
    assert (position["side"], position["amount"]) == ("short", "0.002")
    (stop,) = [row for row in bot.live().values() if row["role"] == "stop"]
    assert position["protective_order_ids"] == [stop["client_id"]]
    assert (stop["order_class"], stop["reduce_only"], stop["side"]) == ("algo", True, "buy")
    fill = (found.rows("fills") or [])[-1]
    assert fill["order_client_id"] == mine["client_order_id"]
    assert found.complete
    truth = _truth_of(bot.venue.call("truth", account=bot.account))
    until("the balances are those of the exchange", lambda: bot.balances() == truth)


def _truth_of(truth: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The venue's own totals, in the words of a checkpoint."""
    from decimal import Decimal

    products = {"spot": "spot", "usdm": "linear"}
    totals: dict[tuple[str, str], str] = {}
    for market, product in products.items():
        for asset, row in truth["balances"][market].items():
            total = Decimal(row["free"]) + Decimal(row["locked"])
            if total:
                totals[product, asset] = f"{total.normalize():f}"
    return totals


def quiet(bot: Bot) -> bool:
    """Whether the engine has acknowledged the move of the gate that stands now."""
    try:
        found = read_acknowledgement(bot.config.gate_file, bot.account)
    except FileNotFoundError:
        return False
    return found.is_about(read_gate(bot.config.gate_file, bot.account))


def test_no_order_leaves_while_the_gate_is_closed(bots: Callable[[str], Bot]) -> None:
    bot = bots("gate")
    bot.start()
    control = bot.control()
    until("it lives with a closed gate", lambda: control.call("status")["phase"] == "gate closed")
    bot.move_gate("SAFE")
    time.sleep(0.5)
    assert bot.venue.ask_log("creates", account=bot.account) == []
    bot.move_gate("RUNNING")
    until("two quotes for each pair", lambda: bot.settled(6))
    bot.move_gate("UNSAFE")
    until("it says that it is quiet", lambda: quiet(bot))
    before = len(bot.venue.ask_log("creates", account=bot.account))
    for row in bot.resting().values():
        bot.venue.call("cancel", order=row)
    until("the cancels of others are booked", lambda: bot.settled(0))
    Path(bot.config.gate_file).unlink()
    rounds = control.call("status")["rounds"]
    until("three more rounds", lambda: control.call("status")["rounds"] > rounds + 3)
    assert len(bot.venue.ask_log("creates", account=bot.account)) == before


def test_killed_at_any_moment_every_order_at_the_exchange_is_in_a_valid_checkpoint(
    bots: Callable[[str], Bot],
) -> None:
    bot = bots("killed")
    bot.move_gate("RUNNING")
    seed = random.Random(11)
    for life in range(8):
        bot.start()
        bot.control()
        # The price jumps, so that quotes are filled, moved and protected while it is killed.
        bot.venue.call("set_price", symbol="BTCUSDT", price=str(60_000 + 700 * (life % 2)))
        time.sleep(seed.uniform(0.0, 0.6))
        bot.kill()
        found = bot.checkpoint()
        assert found.fallback is None
        known = {row["client_id"] for row in found.rows("orders") or []}
        assert bot.resting().keys() <= known
        assert not found.clean_shutdown
    bot.venue.call("set_price", symbol="BTCUSDT", price="60000")
    bot.start()
    control = bot.control()
    assert control.call("status")["resumed"]
    until("everything is settled again", lambda: bot.settled(6) or bot.settled(7), 40)
    sides = [(row["symbol"], row["side"], row["role"]) for row in bot.live().values()]
    assert len(sides) == len(set(sides))


def test_it_survives_what_an_exchange_can_do_and_never_quotes_twice(
    bots: Callable[[str], Bot],
) -> None:
    bot = bots("faults")
    kinds = bot.venue.call("fault_kinds")
    chosen = [name for name in kinds if "executed" in name or "503" in name or "html" in name]
    assert len(chosen) >= 3
    for name in chosen:
        bot.venue.call("inject", kind=name, where="*.place", account=bot.account, times=1)
    bot.move_gate("RUNNING")
    bot.start()
    control = bot.control()
    until("six quotes in spite of all", lambda: bot.settled(6), 40)
    bot.venue.network("turn", weather="refuse")
    until("it is in trouble", lambda: control.call("status")["phase"] == "trouble")
    sequence = bot.checkpoint().sequence
    bot.venue.network("turn", weather="healthy")
    until("it quotes again", lambda: control.call("status")["phase"] == "quoting", 30)
    until("the same six quotes", lambda: bot.settled(6))
    assert bot.checkpoint().sequence >= sequence


def test_a_stop_ends_cleanly_and_the_next_life_knows_its_orders(
    bots: Callable[[str], Bot],
) -> None:
    bot = bots("stop")
    bot.move_gate("RUNNING")
    process = bot.start()
    until("two quotes for each pair", lambda: bot.settled(6))
    before = bot.live()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert bot.checkpoint().clean_shutdown
    assert not Path(bot.config.control_file).exists()
    bot.move_gate("UNSAFE")
    bot.start()
    control = bot.control()
    until("it lives with a closed gate", lambda: control.call("status")["phase"] == "gate closed")
    assert bot.live().keys() == before.keys() == bot.resting().keys()
    control.call("stop")
    assert bot.running[-1].wait(20) == 0
    bot.config = replace(bot.config, cancel_on_stop=True)
    bot.start()
    control = bot.control()
    until("it has connected", lambda: control.call("status")["phase"] == "gate closed")
    control.call("stop")
    assert bot.running[-1].wait(20) == 0
    assert bot.resting() == {}
    assert bot.live() == {}


def test_a_second_engine_on_the_same_checkpoint_is_refused(bots: Callable[[str], Bot]) -> None:
    bot = bots("second")
    bot.start()
    bot.control()
    second = subprocess.run(
        [sys.executable, "-m", "resyncctl.simulator.engine", "--config", str(bot.path)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "is writing this checkpoint" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_door_wants_its_token_and_can_pause(bots: Callable[[str], Bot]) -> None:
    bot = bots("door")
    bot.move_gate("RUNNING")
    bot.start()
    control = bot.control()
    assert os.stat(bot.config.control_file).st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="401"):
        replace(control, token="wrong").call("stop")
    control.call("pause")
    until("it is paused", lambda: control.call("status")["phase"] == "paused")
    control.call("resume")
    until("two quotes for each pair", lambda: bot.settled(6))


def test_a_triggered_stop_is_booked_under_the_order_that_it_became(
    bots: Callable[[str], Bot],
) -> None:
    bot = bots("trigger")
    bot.move_gate("RUNNING")
    bot.start()
    until("two quotes for each pair", lambda: bot.settled(6))
    mine = next(
        row for row in bot.resting().values() if row["market"] == "usdm" and row["side"] == "BUY"
    )
    bot.venue.call("fill", order=mine)
    until("a stop protects the position", lambda: bot.settled(7))
    (stop,) = [row for row in bot.live().values() if row["role"] == "stop"]
    bot.control().call("pause")
    bot.venue.call("trigger", algo_id=int(stop["exchange_id"]))
    until("the position is flat", lambda: (bot.checkpoint().rows("positions") or []) == [])
    until(
        "the stop is booked as filled",
        lambda: any(
            row["client_id"] == stop["client_id"] and row["state"] == "filled"
            for row in bot.checkpoint().rows("orders") or []
        ),
    )
    fills = bot.checkpoint().rows("fills") or []
    assert fills[-1]["order_client_id"] == stop["client_id"]
