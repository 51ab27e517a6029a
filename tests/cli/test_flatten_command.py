"""The command `flatten` against the served practice exchange, as real processes."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from tests.cli.desk import Desk, until, until_line
from tests.cli.running import configured, inside

SLOW = [pytest.mark.process, pytest.mark.slow]


def seed(desk: Desk) -> None:
    """Hold a long, a short and some spot, with an order and a protective stop resting."""
    desk.control.call("hold_all_prices")
    for symbol, amount in (("BTCUSDT", "0.5"), ("ETHUSDT", "-2")):
        desk.control.call(
            "set_position", account=desk.account, symbol=symbol, amount=amount, entry_price="3000"
        )
    desk.control.call("deposit", account=desk.account, asset="SOL", amount="3")
    desk.seed_orders(1)
    desk.control.call(
        "seed_order",
        account=desk.account,
        market="usdm",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        quantity="0.5",
        stop_price="40000",
        reduce_only=True,
        client_order_id="t-stop",
    )


def mutations(desk: Desk) -> list[Any]:
    found: list[Any] = desk.control.ask_log("mutations", account=desk.account)
    return found


def held(desk: Desk) -> list[Any]:
    found: list[Any] = desk.control.call("truth", account=desk.account)["positions"]
    return found


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.invariant("I41")
def test_a_plan_is_written_read_and_carried_out(desk: Desk) -> None:
    seed(desk)
    plan = desk.home / "plan.json"
    planned = desk.run("flatten", desk.account, "--into", "USDT", "--plan-out", str(plan), "--json")
    document = planned.document()
    assert planned.code == 0, planned.out
    assert plan.stat().st_mode & 0o777 == 0o600
    assert mutations(desk) == []
    assert not (desk.home / "gate.json").exists()
    rehearsed = desk.run("flatten", desk.account, "--into", "USDT", "--dry-run", "--json")
    digest = document["evidence"][desk.account]["plan_digest"]
    assert rehearsed.document()["evidence"][desk.account]["plan_digest"] == digest
    done = desk.run(
        "flatten", desk.account, "--apply", str(plan), "--confirm", desk.account, "--json"
    )
    result = done.document()
    assert done.code == 0, done.out + done.err
    assert result["status"] == "flat"
    assert result["evidence"][desk.account]["plan_digest"] == digest
    assert held(desk) == []
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"
    placed = desk.control.ask_log("creates", account=desk.account)
    verbs = [action["verb"] for action in result["actions"]]
    assert len(placed) == verbs.count("reduce") == 3
    stops = desk.control.call("truth", account=desk.account)["open_algo_orders"]
    assert len(stops) == 1
    again = desk.run("flatten", desk.account, "--into", "USDT", "--confirm", desk.account)
    assert again.code == 0, again.out
    assert len(desk.control.ask_log("creates", account=desk.account)) == 3
    assert desk.run("audit", "verify").code == 0


@pytest.mark.process
@pytest.mark.slow
def test_codes_that_promise_no_change_left_no_request_behind(desk: Desk) -> None:
    seed(desk)
    plan = desk.home / "plan.json"
    assert desk.run("flatten", desk.account, "--plan-out", str(plan)).code == 0
    spoilt = desk.home / "spoilt.json"
    spoilt.write_text(plan.read_text().replace("0.5", "0.6"))
    foreign = desk.home / "foreign.json"
    foreign.write_text("{}")
    desk.control.call(
        "set_position",
        account=desk.account,
        symbol="BTCUSDT",
        amount="0.501",
        entry_price="3000",
    )
    named = ("--confirm", desk.account)
    cases: list[tuple[ExitCode, tuple[str, ...]]] = [
        (ExitCode.USAGE, ("--apply", str(plan), "--into", "USDT", *named)),
        (ExitCode.USAGE, ("--apply", str(desk.home / "nowhere.json"), *named)),
        (ExitCode.USAGE, ("--max-slippage", "2", *named)),
        (ExitCode.USAGE, ("--max-notional", "-1", *named)),
        (ExitCode.USAGE, ("--protective", "perhaps", *named)),
        (ExitCode.USAGE, ("--yes",)),
        (ExitCode.DATAERR, ("--apply", str(spoilt), *named)),
        (ExitCode.DATAERR, ("--apply", str(foreign), *named)),
        (ExitCode.STALE, ("--apply", str(plan), *named)),
        (ExitCode.REFUSED, ("--max-slippage", "50%", *named)),
        (
            ExitCode.REFUSED,
            ("--into", "USDT", "--symbol", "ETHUSDT", "--max-notional", "1", *named),
        ),
        (ExitCode.DECLINED, ("--confirm", "other")),
        (ExitCode.NOTTY, ()),
        (ExitCode.NOTTY, ("--no-input",)),
        (ExitCode.DEADLINE, ("--deadline", "1ms", *named)),
    ]
    for code, words in cases:
        ran = desk.run("flatten", desk.account, *words)
        assert ran.code == code, (words, ran.out, ran.err)
        assert code in NO_MUTATION
    assert mutations(desk) == []


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.invariant("I21", "I42")
def test_a_person_reads_the_plan_names_the_stops_and_types_the_name(desk: Desk) -> None:
    seed(desk)

    def spawn() -> Any:
        return pexpect.spawn(
            sys.executable,
            ["-m", "resyncctl", "flatten", desk.account, "--into", "USDT"],
            env={**desk.environ, "TERM": "xterm"},
            encoding="utf-8",
            timeout=40,
            dimensions=(60, 120),
        )

    child = spawn()
    child.expect("flatten PLAN")
    child.expect("BTC/USDT:USDT +both +0.5")
    child.expect("protective order BTC/USDT:USDT sell 0.5 at 40000")
    child.expect("1 protective: BTC/USDT:USDT sell 0.5 at 40000")
    child.send("\r")
    child.expect("Type the account's name")
    child.send("yes\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == ExitCode.DECLINED
    assert mutations(desk) == []
    child = spawn()
    child.expect("Keep or cancel")
    child.send("\r")
    child.expect("Type the account's name")
    child.send(f"{desk.account}\r")
    child.expect("FLAT")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == ExitCode.OK
    assert held(desk) == []
    assert len(desk.control.call("truth", account=desk.account)["open_algo_orders"]) == 1


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.invariant("I19", "I25", "I28")
def test_a_run_that_was_killed_while_reducing_is_finished_by_the_next(desk: Desk) -> None:
    seed(desk)
    desk.control.call(
        "inject",
        kind="answer_never",
        where="usdm.place",
        account=desk.account,
        times=2,
    )
    killed = desk.start("flatten", desk.account, "--into", "USDT", "--confirm", desk.account)
    until(lambda: len(desk.control.ask_log("creates", account=desk.account)) >= 2)
    killed.kill()
    killed.wait(20)
    killed.communicate()
    shown = desk.run("status", "--json").document()
    (run,) = shown["accounts"][0]["data"]["unfinished_runs"]
    assert run["command"] == "flatten"
    assert run["open_intents"] >= 2
    desk.control.call("clear_faults")
    finished = desk.run(
        "flatten", desk.account, "--into", "USDT", "--confirm", desk.account, "--json"
    )
    document = finished.document()
    assert finished.code == 0, json.dumps(document, indent=1)
    assert held(desk) == []
    assert "filled" in str(document["evidence"][desk.account]["earlier_runs"])
    fills = desk.control.call("truth", account=desk.account)["fills"]
    sold = [fill for fill in fills if fill["symbol"] in {"BTCUSDT", "ETHUSDT"}]
    assert len(sold) == 2
    after = desk.run("status", "--json").document()
    assert after["accounts"][0]["data"]["unfinished_runs"] == []


@pytest.mark.process
@pytest.mark.slow
def test_the_first_signal_finishes_the_order_and_tells_how_to_go_on(desk: Desk) -> None:
    seed(desk)
    text = desk.config.read_text()
    desk.config.write_text(
        text.replace("[policy]", '[policy]\nflatten_slice_notional_max = "3000"')
    )
    run = desk.start("flatten", desk.account, "--into", "USDT", "--confirm", desk.account)
    until_line(run, "or better: ACKNOWLEDGED")
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INT, out + err
    assert "stopping" in err
    assert f"next: resyncctl flatten {desk.account} --into USDT" in out
    assert held(desk)
    assert "Traceback" not in out + err
    sent = len(desk.control.ask_log("creates", account=desk.account))
    journal = max((desk.home / "state" / "runs").glob("*-flatten-*/journal.jsonl"))
    assert journal.read_text().count('"reduce_resolved"') == sent
    desk.config.write_text(text)
    done = desk.run("flatten", desk.account, "--into", "USDT", "--confirm", desk.account)
    assert done.code == 0, done.out
    assert held(desk) == []


def test_flatten_takes_exactly_one_account(tmp_path: Path) -> None:
    text = Path(configured(tmp_path)).read_text()
    second = text.split("[engines")[0].replace("accounts.main", "accounts.second")
    config = configured(tmp_path, text + second.split("\n", 2)[2])
    ran = inside("--config", config, "flatten", "--confirm", "main")
    assert ran.code == ExitCode.USAGE
    assert "exactly one account" in ran.out + ran.err
    named = inside("--config", config, "flatten", "main", "second", "--plan-out", "x.json")
    assert named.code == ExitCode.USAGE
