"""The practice exchange as a process: ready document, private files, clean and unclean ends."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ccxt.async_support.binance import binance

from resyncctl.simulator import transparent
from resyncctl.simulator.__main__ import main
from resyncctl.simulator.control_client import ControlRefused, PracticeControl
from resyncctl.simulator.faults import STREAM_KINDS
from resyncctl.simulator.serve import Ready, ServeOptions, StateDirectoryInUse, serve

SRC = str(Path(__file__).parents[2] / "src")


@contextmanager
def process(state: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a server process without inherited settings; it never outlives the test."""
    command = [sys.executable, "-W", "error", "-m", "resyncctl.simulator", "--state-dir"]
    started = subprocess.Popen(
        [*command, str(state), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": SRC},
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def ready_line(started: subprocess.Popen[str]) -> dict[str, Any]:
    assert started.stdout is not None
    document: dict[str, Any] = json.loads(started.stdout.readline())
    return document


def content(path: str) -> str:
    return Path(path).read_text()


def ended(started: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = started.communicate(timeout=20)
    return started.returncode, out, err


@pytest.mark.process
def test_a_process_serves_tells_where_and_ends_cleanly(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "ready.json"
    with process(state, "--ready-file", str(elsewhere), "--account", "alpha") as started:
        ready = ready_line(started)
        assert json.loads(elsewhere.read_text()) == ready
        assert json.loads((state / "ready.json").read_text()) == ready
        assert ready["schema"] == "resyncctl.practice-ready/1"
        assert ready["pid"] == started.pid
        control = PracticeControl.from_ready_file(elsewhere)
        assert control.health()["status"] == "ok"
        balances = control.call("truth", account="alpha")["balances"]
        assert balances["usdm"]["USDT"]["total"] == "100000"
        for path in state.iterdir():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        started.send_signal(signal.SIGTERM)
        assert ended(started) == (0, "", "")
    assert not elsewhere.exists()
    assert not (state / "ready.json").exists()
    secrets = [path.read_text() for path in state.glob("*.secret")] + [control.token]
    assert not any(secret in json.dumps(ready) for secret in secrets)


@pytest.mark.process
def test_an_interrupt_ends_it_cleanly_too(tmp_path: Path) -> None:
    with process(tmp_path) as started:
        ready_line(started)
        started.send_signal(signal.SIGINT)
        assert ended(started) == (0, "", "")


@pytest.mark.process
def test_a_killed_server_can_be_started_again_with_the_same_keys(tmp_path: Path) -> None:
    with process(tmp_path, "--seed", "5") as started:
        ready = ready_line(started)
        key = Path(ready["accounts"][0]["api_key_file"]).read_text()
        old_token = Path(ready["control_token_file"]).read_text()
        started.kill()
        ended(started)
    assert (tmp_path / "ready.json").exists()
    with process(tmp_path, "--seed", "5") as started:
        again = ready_line(started)
        assert Path(again["accounts"][0]["api_key_file"]).read_text() == key
        stranger = PracticeControl(again["control_address"], Path(again["ca_file"]), old_token)
        with pytest.raises(ControlRefused, match="401"):
            stranger.health()


@pytest.mark.process
def test_two_servers_never_share_a_state_directory_or_a_port(tmp_path: Path) -> None:
    with process(tmp_path / "one") as started:
        ready = ready_line(started)
        with process(tmp_path / "one") as second:
            code, out, err = ended(second)
        assert (code, out) == (1, "")
        assert "already runs on" in err
        assert "Traceback" not in err
        port = ready["address"].rpartition(":")[2]
        with process(tmp_path / "two", "--port", port) as third:
            code, out, err = ended(third)
        assert (code, out) == (1, "")
        assert "Traceback" not in err
        assert PracticeControl.from_ready_file(tmp_path / "one/ready.json").health()


@pytest.mark.process
def test_the_control_plane_steers_a_served_exchange_and_answers_in_json(tmp_path: Path) -> None:
    with process(tmp_path, "--symbols", "3000") as started:
        ready = ready_line(started)
        assert ready["symbols"] == 3000
        control = PracticeControl.from_ready_file(tmp_path / "ready.json")
        offered = control.methods()
        assert {"add_account", "inject", "truth", "fill", "set_price"} <= set(offered["call"])
        assert set(offered["log"]) == {"select", "mutations", "orders_placed", "creates"}
        assert all(method["meaning"] for method in offered["call"].values())
        order = control.call(
            "seed_order",
            account="demo",
            market="usdm",
            symbol="ETHUSDT",
            side="SELL",
            quantity="0.5",
            price="3500.25",
        )
        assert control.call("open_orders", account="demo") == [order]
        fill = control.call("fill", order=order, quantity="0.2")
        assert (fill["quantity"], fill["price"]) == ("0.2", "3500.25")
        for arguments, refusal in (
            ({"account": "nobody", "asset": "USDT", "amount": "1"}, "LookupError|KeyError"),
            ({"account": "demo", "asset": "USDT", "amount": "one"}, "ValueError"),
            ({"account": "demo", "asset": "USDT"}, "400"),
        ):
            with pytest.raises(ControlRefused, match=refusal):
                control.call("deposit", **arguments)
        assert control.call("imbalance") == {}


@pytest.mark.process
async def test_an_unmodified_client_trades_with_the_served_account(tmp_path: Path) -> None:
    with process(tmp_path, "--symbols", "200") as started:
        ready = await asyncio.to_thread(ready_line, started)
        account = ready["accounts"][0]
        async with transparent.session(ready["address"], ready["ca_file"]) as session:
            client = binance(
                {
                    "session": session,
                    "apiKey": content(account["api_key_file"]),
                    "secret": content(account["api_secret_file"]),
                    "options": {"fetchMarkets": {"types": ["spot", "linear"]}},
                }
            )
            await client.load_markets()
            assert len([row for row in client.markets.values() if row["spot"]]) == 200
            order = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 50000)
            [listed] = await client.fetch_open_orders("BTC/USDT")
            assert listed["id"] == order["id"]
            await client.close()
        control = PracticeControl.from_ready_file(tmp_path / "ready.json")
        [row] = await asyncio.to_thread(control.ask_log, "mutations", account="demo")
        assert (row["endpoint"], row["executed"], row["placed"]) == ("spot.place", True, 1)
        assert "signature" not in row["parameters"]


@pytest.mark.process
def test_the_page_about_the_practice_exchange_tells_the_truth(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/practice-exchange.md").read_text()
    [script] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "script.py").write_text(script)
    with process(tmp_path / "state") as started:
        ready_line(started)
        control = PracticeControl.from_ready_file(tmp_path / "state/ready.json")
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "state/ready.json")]
        told = subprocess.run(
            command,
            env={"PYTHONPATH": SRC},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (told.stderr, told.stdout) == ("", "NEW\nspot.cancel\n")
        methods = set(control.methods()["call"]) | set(control.methods()["log"])
        kinds = control.call("fault_kinds")
        places = control.call("endpoint_names")
    named = re.findall(r'(?:call|ask_log)\("(\w+)"', page)
    assert set(named) <= methods
    [(kind, where)] = re.findall(r'"inject", kind="(\w+)", where="([\w.]+)"', page)
    assert kind in kinds
    assert where in places
    assert {"set_clock_skew", "set_symbol_status", "set_price"} <= methods
    assert all(f"`{stream_kind}`" in page for stream_kind in STREAM_KINDS)


async def test_serving_ends_when_told_and_leaves_no_ready_file(tmp_path: Path) -> None:
    stop = asyncio.Event()
    seen: list[Ready] = []

    def on_ready(ready: Ready) -> None:
        seen.append(ready)
        assert (tmp_path / "ready.json").exists()
        stop.set()

    await serve(ServeOptions(tmp_path), stop, on_ready)
    assert seen[0].pid == os.getpid()
    assert not (tmp_path / "ready.json").exists()
    address, port = seen[0].address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(port)), timeout=1).close()


async def test_a_cancelled_server_cleans_up_like_a_stopped_one(tmp_path: Path) -> None:
    listening = asyncio.Event()
    serving = asyncio.create_task(
        serve(ServeOptions(tmp_path), asyncio.Event(), lambda _: listening.set())
    )
    await asyncio.wait_for(listening.wait(), 5)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not (tmp_path / "ready.json").exists()


async def test_a_second_server_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    stop, listening = asyncio.Event(), asyncio.Event()
    options = ServeOptions(tmp_path)
    first = asyncio.ensure_future(serve(options, stop, lambda _: listening.set()))
    await asyncio.wait_for(listening.wait(), 5)
    with pytest.raises(StateDirectoryInUse, match=str(tmp_path)):
        await asyncio.wait_for(serve(options, stop, lambda _: stop.set()), 5)
    assert (tmp_path / "ready.json").exists()
    stop.set()
    await first


@pytest.mark.parametrize("name", ["", "../evil", "a b", "_"])
def test_an_account_name_is_no_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["--state-dir", str(tmp_path / "state"), "--account", name]) == 1
    assert "an account name is made of" in capsys.readouterr().err
