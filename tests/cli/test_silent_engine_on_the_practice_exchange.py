"""A living engine that acknowledges its silence lets an account be proved safe; others do not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resyncctl.core.exit_codes import ExitCode
from resyncctl.sdk.gate import GateState, write_gate
from resyncctl.simulator.engine.config import EngineConfig, Pair
from tests.cli.desk import Desk, until
from tests.cli.running import ROOT

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def engine(desk: Desk, practice: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the demo engine on the desk's account, trading."""
    ready = json.loads((practice / "ready.json").read_text())
    keys = dict(line.split(" = ") for line in (desk.home / "account.key").read_text().splitlines())
    for name, key in (("key", "api_key"), ("secret", "secret")):
        (desk.home / f"engine.{name}").write_text(json.loads(keys[key]))
    desk.control.call("set_price", symbol="BTCUSDT", price="60000")
    desk.control.call("deposit", account=desk.account, asset="BTC", amount="1", market="spot")
    open_gate(desk)
    config = EngineConfig(
        account=desk.account,
        address=ready["address"],
        ca_file=ready["ca_file"],
        api_key_file=str(desk.home / "engine.key"),
        api_secret_file=str(desk.home / "engine.secret"),
        checkpoint=str(desk.home / "checkpoint.json"),
        gate_file=str(desk.home / "gate.json"),
        control_file=str(desk.home / "engine-control.json"),
        pairs=(Pair("BTC/USDT", "0.001"), Pair("BTC/USDT:USDT", "0.002")),
        client_id_prefix="t-",
        interval_ms=200,
        request_validity_ms=500,
    )
    config.save(desk.home / "engine.json")
    words = ("-m", "resyncctl.simulator.engine", "--config", str(desk.home / "engine.json"))
    process = subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: len(desk.open_orders()) == 4)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait(20)
    for name in ("key", "secret"):
        (desk.home / f"engine.{name}").unlink()


def open_gate(desk: Desk) -> None:
    places = [desk.home / "state" / "gates" / f"{desk.account}.json", desk.home / "gate.json"]
    for place in places:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_gate(
            place,
            account=desk.account,
            state=GateState.RUNNING,
            reason="trading",
            by="test",
            run_id="before",
            now_ms=1,
        )


def observe_by(desk: Desk, line: str) -> None:
    gate = 'gate_file = "gate.json"\n'
    text = desk.config.read_text()
    desk.config.write_text(text.replace(gate, f"{gate}silence = {line}\n"))


def resync(desk: Desk, *words: str) -> tuple[int, dict[str, Any]]:
    asked = ("--reason", "test", "--yes", "--deadline", "20s", "--json")
    ran = desk.run("resync", desk.account, *asked, *words)
    return ran.code, ran.document()


@pytest.mark.invariant("I15")
def test_a_living_engine_that_acknowledges_is_proved_silent_and_the_account_safe(
    desk: Desk, engine: "subprocess.Popen[bytes]"
) -> None:
    observe_by(desk, '{ kind = "acknowledgement" }')
    code, document = resync(desk)
    assert code == 0, json.dumps(document, indent=1)
    conditions = document["evidence"][desk.account]["conditions"]
    (silence,) = [one for one in conditions if one["name"] == "the engine is silent"]
    assert "acknowledged the closed gate" in silence["evidence"]
    assert engine.poll() is None
    assert desk.open_orders() == []


@pytest.mark.invariant("I15")
def test_a_frozen_engine_cannot_acknowledge_and_nothing_is_called_safe(
    desk: Desk, engine: "subprocess.Popen[bytes]"
) -> None:
    observe_by(desk, '{ kind = "acknowledgement" }')
    engine.send_signal(signal.SIGSTOP)
    code, document = resync(desk)
    assert code in {ExitCode.RESIDUAL, ExitCode.INCOMPLETE}, json.dumps(document, indent=1)
    missing = " ".join(document["evidence"][desk.account]["missing"])
    assert "the engine is silent" in missing
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"


@pytest.mark.invariant("I15")
def test_an_engine_whose_process_is_gone_is_proved_silent(
    desk: Desk, engine: "subprocess.Popen[bytes]"
) -> None:
    (desk.home / "bot.pid").write_text(f"{engine.pid}\n")
    observe_by(desk, '{ kind = "process", pid_file = "bot.pid" }')
    shown = desk.run("doctor", "--json").document()["accounts"][0]["data"]["probes"]
    (probe,) = [one for one in shown if one["probe"] == "engine silence"]
    assert f"the engine runs: process {engine.pid}" in probe["detail"]
    engine.terminate()
    engine.wait(20)
    code, document = resync(desk, "--repair")
    assert code == 0, json.dumps(document, indent=1)
