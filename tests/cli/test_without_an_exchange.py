"""Commands that need no exchange, and every way in which a command can be refused before one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from resyncctl.core.exit_codes import ExitCode
from tests.cli.running import CONFIG, Ran, configured, inside, process

CANARY = "CANARYsecretVALUE"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith(("RESYNCCTL_", "XDG_", "NO_COLOR", "FORCE_COLOR")):
            monkeypatch.delenv(name)


def refused(ran: Ran, code: ExitCode) -> str:
    assert ran.code == code, ran.err
    assert "Traceback" not in ran.out + ran.err
    assert CANARY not in ran.out + ran.err
    return ran.err


def test_a_missing_configuration_names_the_command_that_writes_one() -> None:
    said = refused(inside("status"), ExitCode.CONFIG)
    assert "next: resyncctl init" in said


def test_a_misspelt_key_is_told_by_line_and_never_by_value(tmp_path: Path) -> None:
    bad = CONFIG.replace('path = "main.key"', f'pth = "{CANARY}"')
    path = configured(tmp_path, bad)
    for argv in (["config", "check"], ["status"], ["cancel-all", "--yes"], ["reconcile", "-q"]):
        ran = inside("--config", path, *argv)
        said = refused(ran, ExitCode.CONFIG)
        if argv[0] != "reconcile":
            assert f"{path}:6" in said
            assert "`path`" in said
    document = inside("--config", path, "config", "check", "--json").document()
    assert document["exit_code"] == 78
    assert document["error"]["place"] == f"{path}:6"
    assert CANARY not in json.dumps(document)


def test_an_unknown_account_lists_the_known_ones(tmp_path: Path) -> None:
    path = configured(tmp_path)
    said = refused(inside("--config", path, "gate", "close", "mian"), ExitCode.USAGE)
    assert "main" in said
    assert not (tmp_path / "state" / "gates").exists()


def test_a_configuration_without_accounts_says_so(tmp_path: Path) -> None:
    path = configured(tmp_path, "")
    assert "no account is configured" in refused(inside("--config", path), ExitCode.USAGE)


def test_the_gate_closes_and_shows_and_the_board_tells(tmp_path: Path) -> None:
    path = configured(tmp_path)
    first = inside("--config", path, "status")
    assert first.code == ExitCode.BLOCKED
    assert "UNSAFE" in first.out
    closed = inside("--config", path, "gate", "close", "main", "--reason", "a test")
    assert closed.code == 0, closed.err
    assert json.loads((tmp_path / "gate.json").read_text())["state"] == "UNSAFE"
    shown = inside("--config", path, "gate", "show", "--json").document()
    assert shown["evidence"]["main"]["state"] == "UNSAFE"
    assert shown["evidence"]["main"]["reason"] == "a test"
    assert "since" in shown["evidence"]["main"]


@pytest.mark.invariant("I12")
def test_closing_the_gate_needs_no_store(tmp_path: Path) -> None:
    path = configured(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "store.sqlite3").write_bytes(b"this is no database" * 100)
    assert inside("--config", path, "gate", "close").code == 0
    assert json.loads((tmp_path / "gate.json").read_text())["state"] == "UNSAFE"


def test_engine_list_and_show_tell_what_is_known(tmp_path: Path) -> None:
    path = configured(tmp_path)
    listed = inside("--config", path, "engine", "list", "--json").document()
    assert listed["data"]["engines"][0]["name"] == "mm1"
    shown = inside("--config", path, "engine", "show", "main")
    assert shown.code == ExitCode.INCOMPLETE
    assert "orders: not known" in shown.out
    document = inside("--config", path, "engine", "show", "main", "--json").document()
    assert document["schema"] == "resyncctl/engine-snapshot/v1"
    assert document["sections"]["orders"]["known"] is False


def test_config_check_and_show(tmp_path: Path) -> None:
    path = configured(tmp_path)
    assert inside("--config", path, "config", "check").code == 0
    shown = inside("--config", path, "config", "show", "--origin")
    assert f"{path}:4" in shown.out
    assert inside("--config", path, "config", "show", "--json").document()["data"]["values"]
    assert json.loads(inside("config", "schema").out)["properties"]["accounts"]


def test_the_audit_finds_an_altered_record(tmp_path: Path) -> None:
    path = configured(tmp_path)
    inside("--config", path, "gate", "close", "--reason", "first words")
    assert inside("--config", path, "audit", "verify").code == 0
    (journal,) = (tmp_path / "state" / "runs").glob("*-gate-close-*/journal.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b"first words", b"other words"))
    broken = inside("--config", path, "audit", "verify", "--json")
    assert broken.code == ExitCode.DATAERR
    assert any(not chain["intact"] for chain in broken.document()["data"]["chains"])


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "nagios"])
def test_every_form_of_output_for_success_and_for_failure(tmp_path: Path, form: str) -> None:
    path = configured(tmp_path)
    for argv in (["gate", "close"], ["status"], ["status", "nobody"], ["engine", "show"]):
        ran = inside("--config", path, "-o", form, *argv)
        if form == "json":
            # The answer of `engine show` is the snapshot itself, which has no exit code.
            assert ran.document().get("exit_code", ran.code) == ran.code
        elif form == "jsonl":
            events = [json.loads(line) for line in ran.out.splitlines()]
            assert events[-1]["event"] == "outcome"
            assert events[-1]["exit_code"] == ran.code
        elif form == "nagios":
            assert re.match(r"RESYNC (OK|WARNING|CRITICAL|UNKNOWN) - ", ran.out)
            assert ran.code in {0, 1, 2, 3}
        else:
            assert ran.out or ran.err


def test_quiet_prints_one_line_for_what_needs_hands(tmp_path: Path) -> None:
    ran = inside("--config", configured(tmp_path), "-q", "status")
    assert ran.code == ExitCode.BLOCKED
    assert len(ran.out.splitlines()) == 1
    assert ran.err == ""


def test_an_opening_that_nobody_can_confirm_or_justify_is_refused(tmp_path: Path) -> None:
    path = configured(tmp_path)
    inside("--config", path, "gate", "close")
    assert refused_open(path) in {ExitCode.REFUSED, ExitCode.CONFIG}
    assert json.loads((tmp_path / "gate.json").read_text())["state"] == "UNSAFE"


def refused_open(path: str) -> int:
    ran = inside("--config", path, "gate", "open", "main", "--no-input", "--confirm", "main")
    assert "Traceback" not in ran.out + ran.err
    return ran.code


@pytest.mark.parametrize("to", ["UNSAFE", "open", ""])
def test_the_gate_opens_to_two_states_only(tmp_path: Path, to: str) -> None:
    ran = inside("--config", configured(tmp_path), "gate", "open", "main", "--to", to)
    assert ran.code == ExitCode.USAGE


def test_unwritable_records_refuse_what_is_not_a_cancel(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    path = configured(tmp_path)
    ran = inside("--config", path, "reconcile")
    assert ran.code == ExitCode.IOERR, ran.err
    assert "Traceback" not in ran.err


def test_init_without_a_terminal_names_what_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "new.toml")
    ran = process("--config", path, "init", stdin="y\ny\ny\n")
    assert ran.code == ExitCode.NOTTY, ran.err
    assert "--demo" in ran.err
    assert not Path(path).exists()


def test_init_does_not_replace_a_file_silently(tmp_path: Path) -> None:
    path = configured(tmp_path)
    ran = inside("--config", path, "init", "--demo")
    assert ran.code == ExitCode.REFUSED
    assert Path(path).read_text() == CONFIG


def test_init_demo_writes_a_file_that_loads(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    (tmp_path / "key").write_text("K" * 16 + "\n")
    (tmp_path / "secret").write_text(CANARY + "\n")
    account = {
        "name": "demo",
        "api_key_file": str(tmp_path / "key"),
        "api_secret_file": str(tmp_path / "secret"),
    }
    ready.write_text(
        json.dumps(
            {
                "schema": "resyncctl.practice-ready/1",
                "address": "127.0.0.1:18443",
                "ca_file": str(tmp_path / "ca.pem"),
                "accounts": [account],
            }
        )
    )
    path = str(tmp_path / "folder" / "new.toml")
    ran = inside("--config", path, "init", "--demo", "--ready-file", str(ready))
    assert ran.code == 0, ran.err
    assert CANARY not in ran.out + ran.err + Path(path).read_text()
    assert (os.stat(path).st_mode & 0o777) == 0o600
    checked = inside("--config", path, "config", "check")
    assert checked.code == 0, checked.err
    (key_file,) = Path(path).parent.glob("*.key")
    assert (os.stat(key_file).st_mode & 0o777) == 0o600
    assert CANARY in key_file.read_text()


def test_init_demo_without_a_practice_exchange_says_how_to_start_one(tmp_path: Path) -> None:
    ran = inside("--config", str(tmp_path / "new.toml"), "init", "--demo")
    assert ran.code == ExitCode.USAGE
    assert "sim serve" in ran.err


@pytest.mark.process
def test_no_colour_leaves_a_pipe_except_when_asked(tmp_path: Path) -> None:
    path = configured(tmp_path)
    plain = process("--config", path, "status")
    assert "\x1b" not in plain.out + plain.err
    always = process("--config", path, "--color", "always", "status")
    assert "\x1b[" in always.out
    forced = process("--config", path, "status", environ={"FORCE_COLOR": "1"})
    assert "\x1b" not in forced.out


@pytest.mark.process
def test_a_terminal_without_utf8_gets_ascii(tmp_path: Path) -> None:
    path = configured(tmp_path)
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    ran = process("--config", path, "status", environ=environ)
    assert ran.code == ExitCode.BLOCKED
    assert ran.out.isascii()
    assert "UNSAFE" in ran.out


@pytest.mark.process
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = configured(tmp_path)
    done = subprocess.run(  # noqa: S602  # a pipe between two programs is what is tested
        f"{sys.executable} -m resyncctl --config {path} config show --json | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.process
def test_the_board_can_be_watched_and_left(tmp_path: Path) -> None:
    path = configured(tmp_path)
    watching = subprocess.Popen(
        [sys.executable, "-m", "resyncctl", "--config", path, "status", "--watch", "200ms"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert watching.stdout is not None
    seen = 0
    for line in watching.stdout:
        seen += line.startswith("resyncctl status")
        if seen == 2:
            break
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert watching.returncode == ExitCode.INT
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    "argv",
    [
        ["status"],
        ["reconcile"],
        ["cancel-all", "--yes"],
        ["cancel-all", "--dry-run"],
        ["gate", "show"],
        ["gate", "close"],
        ["gate", "open", "main", "--confirm", "main"],
        ["engine", "list"],
        ["engine", "show"],
        ["venue", "show"],
        ["doctor"],
        ["doctor", "--offline"],
        ["config", "check"],
        ["config", "show"],
        ["audit", "verify"],
        ["init"],
        ["init", "--demo"],
    ],
)
def test_every_command_prints_one_document_that_obeys_its_schema(
    tmp_path: Path, argv: list[str]
) -> None:
    ran = inside("--config", configured(tmp_path), *argv, "--json")
    document = ran.document()
    assert document.get("exit_code", ran.code) == ran.code
    broken = inside("--config", configured(tmp_path, "nonsense"), *argv, "--json")
    if argv[0] != "init":
        assert broken.document()["exit_code"] == broken.code == ExitCode.CONFIG


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        folder = str(tmp_path / "practice")
        ran = inside("sim", "serve", "--port", port, "--state-dir", folder, "--json")
    assert ran.code == ExitCode.USAGE
    assert "--port" in (ran.document()["error"]["hint"] or "")
