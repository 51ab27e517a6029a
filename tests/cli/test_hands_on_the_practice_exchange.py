"""The real command line against the served practice exchange: an operator's hands."""

import json
import re
import signal
import subprocess
import sys
import time

import pexpect
import pytest

from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from tests.cli.desk import Desk, until, until_line

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_the_gate_opens_on_a_safety_verdict_and_on_nothing_else(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.run("gate", "close")
    refused = desk.run("gate", "open", desk.account, "--confirm", desk.account)
    assert refused.code == ExitCode.REFUSED
    assert desk.run("reconcile", "-q").code == 0
    compared = desk.run("gate", "open", desk.account, "--confirm", desk.account)
    assert compared.code == ExitCode.REFUSED, "a comparison proves no silence"
    assert f"next: resyncctl verify {desk.account}" in compared.out
    silent = desk.run("verify", "--json")
    assert silent.code == ExitCode.INCOMPLETE, "nobody said that the engine is stopped"
    assert "the engine is silent" in silent.out
    verified = desk.run("verify", "--engine-stopped", "--json")
    assert verified.code == 0, verified.out
    assert verified.document()["verdict"] == "clean"
    assert desk.control.ask_log("mutations", account=desk.account) == []
    nobody = desk.run("gate", "open", desk.account)
    assert nobody.code == ExitCode.NOTTY
    assert f"--confirm {desk.account}" in nobody.out
    wrong = desk.run("gate", "open", desk.account, "--confirm", "other")
    assert wrong.code == ExitCode.DECLINED
    opened = desk.run("gate", "open", desk.account, "--confirm", desk.account, "--json")
    assert opened.code == 0, opened.out
    assert opened.document()["evidence"][desk.account]["state"] == "SAFE"
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "SAFE"


def test_cancel_all_proves_that_every_order_is_gone(desk: Desk) -> None:
    desk.seed_orders(2)
    desk.seed_orders(2, market="usdm")
    ran = desk.run("cancel-all", "--yes", "--json")
    document = ran.document()
    assert ran.code == 0, json.dumps(document, indent=1)
    assert document["status"] == "proved_empty"
    assert desk.open_orders() == []
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"
    mutations = desk.control.ask_log("mutations", account=desk.account)
    assert len(mutations) == len(document["actions"]) == 2
    assert desk.control.ask_log("orders_placed", account=desk.account) == []
    assert desk.run("audit", "verify").code == 0


@pytest.mark.invariant("I41")
def test_a_dry_run_sends_nothing_and_its_digest_binds(desk: Desk) -> None:
    desk.seed_orders(2)
    planned = desk.run("cancel-all", "--dry-run", "--json").document()
    digest = planned["evidence"][desk.account]["plan_digest"]
    assert [action["state"] for action in planned["actions"]] == ["planned"]
    assert desk.control.ask_log("mutations", account=desk.account) == []
    assert not (desk.home / "gate.json").exists()
    stale = desk.run("cancel-all", desk.account, "--expect-plan", "0" * 16)
    assert stale.code == ExitCode.STALE
    assert desk.control.ask_log("mutations", account=desk.account) == []
    assert desk.run("cancel-all", desk.account, "--expect-plan", digest[:16]).code == 0
    assert desk.open_orders() == []


@pytest.mark.invariant("I42")
def test_without_a_terminal_nothing_is_cancelled_but_the_gate_closes(desk: Desk) -> None:
    desk.seed_orders(1)
    ran = desk.run("cancel-all")
    assert ran.code == ExitCode.NOTTY
    assert "--yes" in ran.err + ran.out
    assert desk.control.ask_log("mutations", account=desk.account) == []
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"


def test_one_key_cancels_and_another_declines(desk: Desk) -> None:
    desk.seed_orders(1)
    for key, code in (("n", ExitCode.DECLINED), ("\r", ExitCode.OK)):
        child = pexpect.spawn(
            sys.executable,
            ["-m", "resyncctl", "cancel-all"],
            env={**desk.environ, "TERM": "xterm"},
            encoding="utf-8",
            timeout=30,
            dimensions=(40, 120),
        )
        child.expect("cancel 1 order on 1 symbol")
        child.send(key)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
        if code is ExitCode.DECLINED:
            assert desk.control.ask_log("mutations", account=desk.account) == []
    assert desk.open_orders() == []


def test_an_unreadable_key_still_closes_the_gate(desk: Desk) -> None:
    (desk.home / "account.key").chmod(0o644)
    ran = desk.run("cancel-all", "--yes", "--json")
    assert ran.code == ExitCode.NOPERM
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"
    (desk.home / "account.key").chmod(0o600)


def test_a_run_that_was_killed_is_shown_and_finished_by_the_next(desk: Desk) -> None:
    desk.seed_orders(3)
    killed = desk.start("cancel-all", "--yes")
    journals = desk.home / "state" / "runs"
    until(lambda: '"intent"' in "".join(p.read_text() for p in journals.glob("*/journal.jsonl")))
    killed.kill()
    killed.wait(20)
    killed.communicate()
    shown = desk.run("status", "--json").document()
    (run,) = shown["accounts"][0]["data"]["unfinished_runs"]
    assert run["command"] == "cancel-all"
    assert shown["accounts"][0]["next_step"] == f"resyncctl cancel-all {desk.account}"
    desk.run("cancel-all", "--yes", "--prefix", "other-")
    still = desk.run("status", "--json").document()
    assert still["accounts"][0]["data"]["unfinished_runs"]
    finished = desk.run("cancel-all", "--yes")
    assert finished.code == 0, finished.out + finished.err
    assert desk.open_orders() == []
    after = desk.run("status", "--json").document()
    assert after["accounts"][0]["data"]["unfinished_runs"] == []


def test_the_first_signal_tells_what_is_proved_and_the_second_stops(desk: Desk) -> None:
    slow = desk.config.read_text().replace('"400ms"', '"30s"')
    desk.config.write_text(slow)
    desk.seed_orders(1)
    once = desk.start("cancel-all", "--yes")
    assert once.stderr is not None
    until_line(once, "proving")
    once.send_signal(signal.SIGINT)
    out, err = once.communicate(timeout=60)
    assert once.returncode == ExitCode.INT
    assert "stopping" in err
    assert f"next: resyncctl cancel-all {desk.account}" in out
    twice = desk.start("cancel-all", "--yes")
    until_line(twice, "proving")
    twice.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    twice.send_signal(signal.SIGTERM)
    out, err = twice.communicate(timeout=60)
    assert twice.returncode == ExitCode.TERM
    shown = desk.run("status", "--json").document()
    assert shown["accounts"][0]["data"]["unfinished_runs"]
    assert "Traceback" not in out + err
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"


def test_a_hang_up_does_not_end_a_cancel(desk: Desk) -> None:
    desk.seed_orders(1)
    run = desk.start("cancel-all", "--yes")
    until_line(run, "measuring")
    run.send_signal(signal.SIGHUP)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert desk.open_orders() == []


def test_a_full_disk_does_not_stop_a_cancel(desk: Desk) -> None:
    desk.seed_orders(2)
    shell = ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh"]
    done = subprocess.run(
        [*shell, *desk.argv("cancel-all", "--yes", "--json")],
        capture_output=True,
        text=True,
        env=desk.environ,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert desk.open_orders() == [], done.stderr
    assert json.loads(done.stdout)["status"] == "proved_empty"
    # The journal went where it still could: to standard error, one line per record.
    assert '"intent"' in done.stderr


def test_several_accounts_are_cancelled_side_by_side_and_told_apart(desk: Desk) -> None:
    desk.seed_orders(1)
    text = desk.config.read_text()
    second = re.sub(r"accounts\.\w+", "accounts.second", text.split("[engines")[0])
    second = second.split("\n", 1)[1].replace("account.key", "nowhere.key")
    desk.config.write_text(text + second)
    ran = desk.run("cancel-all", "--yes", "--json")
    document = ran.document()
    assert ran.code == ExitCode.PARTIAL, document
    codes = {one["account"]: one["exit_name"] for one in document["accounts"]}
    assert codes == {desk.account: "OK", "second": "CONFIG"}
    assert desk.open_orders() == []


def test_codes_that_promise_no_change_left_no_request_behind(desk: Desk) -> None:
    desk.seed_orders(2)
    held = Leases(desk.home / "state", store=NullStore("not needed"), clock=SystemClock())
    cases: list[tuple[ExitCode, list[str]]] = [
        (ExitCode.USAGE, ["cancel-all", "--nonsense"]),
        (ExitCode.USAGE, ["cancel-all", "nobody", "--yes"]),
        (ExitCode.NOTTY, ["cancel-all"]),
        (ExitCode.NOTTY, ["cancel-all", "--no-input"]),
        (ExitCode.STALE, ["cancel-all", desk.account, "--expect-plan", "0" * 16]),
        (ExitCode.DEADLINE, ["cancel-all", "--yes", "--deadline", "1ms"]),
        (ExitCode.LOCKED, ["cancel-all", "--yes"]),
    ]
    for code, words in cases:
        lease = None
        if code is ExitCode.LOCKED:
            now_ms = time.time_ns() // 1_000_000
            lease = held.acquire(desk.account, "a test", now_ms)
        ran = desk.run(*words)
        if lease is not None:
            held.release(lease)
        assert ran.code == code, (words, ran.out, ran.err)
        assert code in NO_MUTATION
        assert desk.control.ask_log("mutations", account=desk.account) == [], words
    assert len(desk.open_orders()) == 2
