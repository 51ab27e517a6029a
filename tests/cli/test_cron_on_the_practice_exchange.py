"""The real command line against the served practice exchange: cron, reports and refusals."""

import contextlib
import http.server
import json
import re
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from resyncctl.core.exit_codes import ExitCode
from tests.cli.desk import Desk

pytestmark = [pytest.mark.process, pytest.mark.slow]


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


@pytest.mark.invariant("I31")
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


def test_the_doctor_is_content_with_a_healthy_desk(desk: Desk) -> None:
    desk.write_checkpoint()
    desk.run("gate", "close")
    ran = desk.run("doctor", "--json")
    document = ran.document()
    assert ran.code == 0, json.dumps(document, indent=1)
    found = {one["probe"]: one["state"] for one in document["accounts"][0]["data"]["probes"]}
    assert found["key"] == found["clock"] == found["engine state"] == "ok"
    assert found["open orders linear/algo"] == "ok"
    details = {one["probe"]: one["detail"] for one in document["accounts"][0]["data"]["probes"]}
    assert details["flatten"].startswith("can reduce spot, linear")
    assert details["dead-man switch"].startswith("linear")
    assert " s, " in details["staleness horizon"]
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
