"""The real command line against the served practice exchange, as an operator and as cron."""

import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pexpect
import pytest

from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from resyncctl.sdk import Recoverable
from resyncctl.simulator.control_client import PracticeControl
from tests.cli.running import ROOT, Ran

pytestmark = [pytest.mark.process, pytest.mark.slow]

HURRY = """
[policy]
staleness_horizon = "400ms"
request_validity = "500ms"
settle_delay = "100ms"
"""


@dataclass(frozen=True)
class Desk:
    """An operator's home with a configured practice account of its own."""

    home: Path
    account: str
    control: PracticeControl

    @property
    def config(self) -> Path:
        return self.home / "resyncctl.toml"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT / "src"),
            "RESYNCCTL_CONFIG": str(self.config),
            "LC_ALL": "C.UTF-8",
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "resyncctl", *words]

    def run(self, *words: str, timeout: float = 60) -> Ran:
        done = subprocess.run(
            self.argv(*words),
            capture_output=True,
            text=True,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.argv(*words),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def seed_orders(self, count: int = 3, market: str = "spot", symbol: str = "BTCUSDT") -> None:
        for number in range(count):
            self.control.call(
                "seed_order",
                account=self.account,
                market=market,
                symbol=symbol,
                side="BUY",
                type="LIMIT",
                price="20000",
                quantity="0.01",
                client_order_id=f"t-{market}-{symbol}-{number}",
            )

    def open_orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.call("open_orders", account=self.account)
        return found

    def write_checkpoint(self) -> None:
        """Write what an engine would know that has just started and has no orders."""
        document = self.run("venue", "show", "--json").document()
        assert "scopes" in document, document
        now_ms = time.time_ns() // 1_000_000
        with Recoverable(
            self.home / "checkpoint.json",
            self.home / "gate.json",
            account=self.account,
            exchange="binance",
            products=("spot", "linear"),
        ) as state:
            state.history_read(now_ms - 30 * 3600 * 1000)
            for product in document["scopes"]:
                rows = product["balances"]["data"]
                state.set_balances(
                    product["product"],
                    {row["asset"]: amount(row) for row in rows},
                    as_of_ms=now_ms,
                )
                state.set_positions(product["product"], [])
            state.declare_complete()


def amount(row: dict[str, Any]) -> tuple[Decimal, Decimal] | Decimal:
    """Return free and locked where the exchange tells them, else the total."""
    if row["free"] is None:
        return Decimal(row["total"])
    return Decimal(row["free"]), Decimal(row["locked"])


@pytest.fixture
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Serve the practice exchange with the program's own command.

    Every test has one of its own: the exchange counts request weight by address, and the program
    rightly waits when many runs in a minute have spent it.
    """
    folder = tmp_path_factory.mktemp("practice")
    serve = ("sim", "serve", "--port", "0", "--state-dir", str(folder))
    server = subprocess.Popen(
        [sys.executable, "-m", "resyncctl", *serve],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not (folder / "ready.json").exists():
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield folder
    server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0
    assert not (folder / "ready.json").exists()


@pytest.fixture
def desk(practice: Path, tmp_path: Path) -> Iterator[Desk]:
    """Give every test an account and a home of its own."""
    ready = json.loads((practice / "ready.json").read_text())
    control = PracticeControl.from_ready_file(practice / "ready.json")
    account = "a" + re.sub(r"\W", "", tmp_path.name)[-20:] + str(time.monotonic_ns())
    opened = control.call("add_account", account=account)
    for market in ("spot", "usdm"):
        control.call("deposit", account=account, asset="USDT", amount="100000", market=market)
    key = tmp_path / "account.key"
    key.write_text(f'api_key = "{opened["api_key"]}"\nsecret = "{opened["secret"]}"\n')
    key.chmod(0o600)
    (tmp_path / "resyncctl.toml").write_text(
        f"""state_dir = "state"
[accounts.{account}]
venue = "binance"
mode = "practice"
credentials = {{ source = "file", path = "account.key" }}
scopes = ["spot", "linear"]
client_id_prefixes = ["t-"]
practice = {{ address = "{ready["address"]}", ca_file = "{ready["ca_file"]}" }}
[engines.bot]
accounts = ["{account}"]
state = {{ kind = "checkpoint", path = "checkpoint.json" }}
gate_file = "gate.json"
{HURRY}"""
    )
    yield Desk(tmp_path, account, control)
    control.call("clear_faults")
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != key]
    for path in written:
        content = path.read_bytes()
        assert opened["secret"].encode() not in content, path
        assert opened["api_key"].encode() not in content, path


def test_a_clean_account_is_silent_and_a_dirty_one_takes_one_line(desk: Desk) -> None:
    desk.write_checkpoint()
    clean = desk.run("reconcile", "-q", "--no-second-look")
    assert (clean.code, clean.out, clean.err) == (0, "", "")
    told = desk.run("reconcile", "--json").document()
    assert told["verdict"] == "clean"
    desk.seed_orders(1)
    dirty = desk.run("reconcile", "-q", "--no-second-look")
    assert dirty.code == ExitCode.BLOCKED
    assert dirty.err == ""
    assert len(dirty.out.splitlines()) == 1
    assert "ORPHAN_ORDER" in dirty.out


def test_the_gate_opens_on_a_clean_verdict_and_on_nothing_else(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.run("gate", "close")
    refused = desk.run("gate", "open", desk.account, "--confirm", desk.account)
    assert refused.code == ExitCode.REFUSED
    assert desk.run("reconcile", "-q").code == 0
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


def test_a_wrong_key_is_told_and_closes_the_gate_all_the_same(desk: Desk) -> None:
    desk.seed_orders(1)
    key = desk.home / "account.key"
    good = key.read_text()
    key.write_text('api_key = "wrongwrongwrong"\nsecret = "wrongwrongwrong"\n')
    cancel = ["cancel-all", "--yes", "--deadline", "2s"]
    for words in (["reconcile"], ["venue", "show"], ["doctor"], cancel):
        ran = desk.run(*words, "--json")
        assert ran.code in {ExitCode.NOPERM, ExitCode.INCOMPLETE, ExitCode.RESIDUAL}, words
        assert ran.code != 0
        assert "wrongwrongwrong" not in ran.out + ran.err
    assert desk.control.ask_log("orders_placed", account=desk.account) == []
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"
    assert len(desk.open_orders()) == 1
    key.write_text(good)


def test_an_unreadable_key_still_closes_the_gate(desk: Desk) -> None:
    (desk.home / "account.key").chmod(0o644)
    ran = desk.run("cancel-all", "--yes", "--json")
    assert ran.code == ExitCode.NOPERM
    assert json.loads((desk.home / "gate.json").read_text())["state"] == "UNSAFE"
    (desk.home / "account.key").chmod(0o600)


def test_an_unreachable_exchange_is_one_clear_message(desk: Desk) -> None:
    text = desk.config.read_text()
    desk.config.write_text(re.sub(r'address = "[^"]*"', 'address = "127.0.0.1:1"', text))
    for words in (["reconcile"], ["venue", "show"], ["cancel-all", "--yes"], ["doctor"]):
        ran = desk.run(*words)
        assert ran.code == ExitCode.UNAVAILABLE, (words, ran.out, ran.err)
        assert "next: " in ran.out
    assert desk.control.ask_log("mutations", account=desk.account) == []


def test_another_venue_s_name_is_corrected(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text().replace('"binance"', '"binanec"'))
    ran = desk.run("reconcile")
    assert ran.code == ExitCode.CONFIG
    assert "binance" in ran.out + ran.err


class _Pings(http.server.BaseHTTPRequestHandler):
    """Keeps the paths that were pinged."""

    paths: list[str] = []  # noqa: RUF012  # replaced by every fixture

    def do_POST(self) -> None:  # the library's name
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.paths.append(self.path.partition("?")[0])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def pinged() -> Iterator[tuple[str, list[str]]]:
    paths: list[str] = []
    handler = type("Handler", (_Pings,), {"paths": paths})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/check", paths
        server.shutdown()
        thread.join()


def test_heartbeat_and_metrics_are_told_of_success_and_of_failure(desk: Desk) -> None:
    desk.write_checkpoint()
    metrics = desk.home / "resyncctl.prom"
    with pinged() as (url, paths):
        cron = ("reconcile", "-q", "--heartbeat", url, "--metrics-file", str(metrics))
        clean = desk.run(*cron)
        assert (clean.code, clean.out) == (0, ""), clean.err
        assert paths == ["/check/start", "/check/0"]
        assert f'exit_code{{account="{desk.account}"}} 0' in metrics.read_text()
        text = desk.config.read_text()
        desk.config.write_text(re.sub(r'address = "[^"]*"', 'address = "127.0.0.1:1"', text))
        failed = desk.run(*cron)
        assert failed.code == ExitCode.UNAVAILABLE
        assert paths[2:] == ["/check/start", "/check/69"]
        assert f'exit_code{{account="{desk.account}"}} 69' in metrics.read_text()
        desk.config.write_text("this is no TOML")
        assert desk.run(*cron).code == ExitCode.CONFIG
        assert paths[4:] == ["/check/78"]


def test_of_two_overlapping_runs_one_works_and_the_other_says_so(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.control.call("set_latency", milliseconds=700)
    try:
        runs = [desk.start("reconcile", "-q", "--no-second-look") for _ in range(2)]
        codes = sorted(one.wait(60) for one in runs)
        for one in runs:
            one.communicate()
    finally:
        desk.control.call("set_latency", milliseconds=0)
    assert codes == [0, int(ExitCode.LOCKED)]


def test_a_run_that_was_killed_is_shown_and_finished_by_the_next(desk: Desk) -> None:
    desk.seed_orders(3)
    killed = desk.start("cancel-all", "--yes")
    journals = desk.home / "state" / "runs"
    _until(lambda: '"intent"' in "".join(p.read_text() for p in journals.glob("*/journal.jsonl")))
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
    _until_line(once, "proving")
    once.send_signal(signal.SIGINT)
    out, err = once.communicate(timeout=60)
    assert once.returncode == ExitCode.INT
    assert "stopping" in err
    assert f"next: resyncctl cancel-all {desk.account}" in out
    twice = desk.start("cancel-all", "--yes")
    _until_line(twice, "proving")
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
    _until_line(run, "measuring")
    run.send_signal(signal.SIGHUP)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert desk.open_orders() == []


def test_saved_snapshots_are_compared_without_keys(desk: Desk) -> None:
    desk.write_checkpoint()
    engine, venue = desk.home / "engine.json", desk.home / "venue.json"
    engine.write_text(desk.run("engine", "show", "--json").out)
    venue.write_text(desk.run("venue", "show", "--json").out)
    words = ("reconcile", "--engine-snapshot", str(engine), "--venue-snapshot", str(venue))
    assert desk.run(*words, "--json").document()["verdict"] == "clean"
    engine.write_text(engine.read_text().replace('"total": "100000"', '"total": "90000"'))
    changed = desk.run(*words, "--json")
    assert "BALANCE_MISMATCH" in changed.out
    engine.write_text("{")
    broken = desk.run(*words)
    assert broken.code == ExitCode.DATAERR
    assert "engine.json" in broken.out + broken.err


def test_events_and_repair_bring_the_checkpoint_to_the_exchange_s_truth(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.control.call("deposit", account=desk.account, asset="BTC", amount="1")
    desk.seed_orders(1)
    events = desk.home / "events.jsonl"
    found = desk.run("reconcile", "--emit-events", str(events), "--no-second-look")
    assert found.code != 0
    assert [json.loads(line) for line in events.read_text().splitlines()]
    repaired = desk.run("reconcile", "--repair", "--no-second-look")
    assert repaired.code == 0, repaired.out + repaired.err
    assert "repaired" in repaired.out
    assert desk.run("reconcile", "-q").code == 0


def test_repetition_ends_at_an_interruption(desk: Desk) -> None:
    desk.write_checkpoint()
    run = desk.start("reconcile", "--every", "1s", "--json", "--no-second-look")
    assert run.stdout is not None
    seen = ""
    deadline = time.monotonic() + 40
    while seen.count('"run_id"') < 2:
        assert time.monotonic() < deadline
        seen += run.stdout.readline()
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=20)
    assert run.returncode == ExitCode.TERM
    assert len(set(re.findall(r'"run_id": "([^"]+)"', seen))) == 2


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _until_line(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")


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


def test_the_doctor_is_content_with_a_healthy_desk(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.run("gate", "close")
    ran = desk.run("doctor", "--json")
    document = ran.document()
    assert ran.code == 0, json.dumps(document, indent=1)
    found = {one["probe"]: one["state"] for one in document["accounts"][0]["data"]["probes"]}
    assert found["key"] == found["clock"] == found["engine state"] == "ok"
    assert found["open orders linear/algo"] == "ok"
    assert {one["probe"] for one in document["data"]["probes"]} >= {"records", "store"}
    desk.control.call("set_clock_skew", milliseconds=2_000)
    skewed = desk.run("doctor")
    assert "clock" in skewed.out
    assert "chrony" in skewed.out


def test_requests_are_told_at_the_second_v_and_hold_no_key(desk: Desk) -> None:
    ran = desk.run("venue", "show", "-vv")
    assert ran.code == 0, ran.err
    assert "/api/v3/openOrders" in ran.err
    assert "signature" not in ran.err.replace("signature=(masked)", "")
    key = (desk.home / "account.key").read_text()
    for secret in re.findall(r'"([^"]+)"', key):
        assert secret not in ran.out + ran.err


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
