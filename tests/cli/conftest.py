"""A served practice exchange and an operator's desk for the tests that need them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resyncctl.simulator.control_client import PracticeControl
from tests.cli.desk import Desk
from tests.cli.running import ROOT

HURRY = """
[policy]
staleness_horizon = "400ms"
request_validity = "500ms"
settle_delay = "100ms"
"""


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
