"""`resyncctl incident` and the engine's silence in `doctor`, where no exchange is needed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resyncctl.core.exit_codes import ExitCode
from resyncctl.sdk import Acknowledger
from resyncctl.sdk.gate import GateState, write_gate
from tests.cli.running import CONFIG, Ran, configured, inside

TWO = (
    CONFIG
    + """
[accounts.hedge]
venue = "binance"
mode = "practice"
credentials = { source = "file", path = "main.key" }
practice = { address = "127.0.0.1:1", ca_file = "ca.pem" }
"""
)


class Desk:
    """A configuration in a folder, and the command line that reads it."""

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        self.folder = folder
        self.path = configured(folder, text)

    def run(self, *words: str) -> Ran:
        return inside("--config", self.path, *words)

    def trade(self, account: str = "main") -> None:
        """Let the account trade, as it did before anything went wrong."""
        now_ms = time.time_ns() // 1_000_000
        places = [self.folder / "state" / "gates" / f"{account}.json"]
        places += [self.folder / "gate.json"] if account == "main" else []
        for place in places:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_gate(
                place,
                account=account,
                state=GateState.RUNNING,
                reason="trading",
                by="test",
                run_id="before",
                now_ms=now_ms,
            )

    def close(self, account: str = "main", reason: str = "lost feed") -> Ran:
        return self.run("gate", "close", account, "--reason", reason)

    def files(self) -> list[Path]:
        return sorted((self.folder / "state" / "incidents").rglob("*.jsonl"))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith(("RESYNCCTL_", "XDG_", "NO_COLOR", "FORCE_COLOR")):
            monkeypatch.delenv(name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_without_an_incident_every_verb_says_what_begins_one(desk: Desk) -> None:
    assert desk.run("incident", "list").out == "no incident is recorded\n"
    assert desk.run("incident", "list", "--json").document()["data"] == {"incidents": []}
    for verb in (["show"], ["export"], ["note", "main", "x"], ["close", "main", "--reason", "x"]):
        ran = desk.run("incident", *verb)
        assert ran.code == ExitCode.USAGE
        assert "begins when the gate of an account closes" in ran.err


def test_a_closed_gate_is_an_incident_on_every_screen(desk: Desk) -> None:
    desk.trade()
    assert desk.close().code == 0
    listed = desk.run("incident", "list", "--open")
    assert "lost feed" in listed.out
    (one,) = desk.run("incident", "list", "--json").document()["data"]["incidents"]
    assert f"incident {one['incident_id']}" in desk.run("incident", "show").out
    board = desk.run("status")
    assert "INCIDENT  main" in board.out
    assert f"resyncctl incident show {one['incident_id']}" in board.out
    document = desk.run("status", "--json").document()
    assert document["accounts"][0]["data"]["incident"]["id"] == one["incident_id"]


def test_an_incident_is_found_by_its_id_its_end_or_its_account(desk: Desk) -> None:
    desk.trade()
    desk.close()
    name = desk.files()[0].stem
    for word in (name, name[-4:], "main"):
        shown = desk.run("incident", "show", word, "--json").document()
        assert shown["data"]["incidents"][0]["incident_id"] == name
    ran = desk.run("incident", "show", "20200101T000000Z-incident-zzzz")
    assert ran.code == ExitCode.USAGE
    assert name in ran.err


def test_two_accounts_have_two_incidents(tmp_path: Path) -> None:
    desk = Desk(tmp_path, TWO)
    for account in ("main", "hedge"):
        desk.trade(account)
    assert desk.run("gate", "close", "--reason", "both").code == 0
    both = desk.run("incident", "list", "--json").document()["data"]["incidents"]
    assert {one["account"] for one in both} == {"main", "hedge"}
    one = desk.run("incident", "list", "hedge", "--json").document()["data"]["incidents"]
    assert [row["account"] for row in one] == ["hedge"]
    assert desk.run("incident", "show", "n").code == ExitCode.USAGE


@pytest.mark.invariant("I45")
def test_a_note_is_shown_harmless_in_every_form(desk: Desk) -> None:
    desk.trade()
    desk.close(reason="\x1b]0;title\x07 [red]feed[/red]")
    note = "<script>x</script> \x1b[2J\u202e [bold]call[/bold]"
    ran = desk.run("incident", "note", "main", note)
    assert ran.code == 0, ran.err
    assert "[bold]call[/bold]" in ran.out
    page = desk.folder / "page.html"
    desk.run("incident", "export", "--format", "html", "--out", str(page))
    texts = [
        ran.out,
        desk.run("incident", "show").out,
        desk.run("incident", "list").out,
        desk.run("incident", "export").out,
        desk.run("incident", "export", "--format", "json").out,
        desk.run("status").out,
        page.read_text(),
    ]
    for text in texts:
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\x07" not in text
    assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()


def test_an_empty_note_is_refused(desk: Desk) -> None:
    desk.trade()
    desk.close()
    assert desk.run("incident", "note", "main", " ").code == ExitCode.USAGE


def test_an_export_overwrites_nothing_and_knows_its_formats(desk: Desk) -> None:
    desk.trade()
    desk.close()
    there = desk.folder / "there.md"
    there.write_text("mine")
    ran = desk.run("incident", "export", "--out", str(there))
    assert (ran.code, there.read_text()) == (ExitCode.REFUSED, "mine")
    nowhere = str(desk.folder / "no" / "where.md")
    assert desk.run("incident", "export", "--out", nowhere).code == ExitCode.IOERR
    assert desk.run("incident", "export", "--format", "pdf").code == ExitCode.USAGE
    document = json.loads(desk.run("incident", "export", "--format", "json").out)
    assert document["schema"] == "resyncctl/incident/v1"
    assert document["incident"]["account"] == "main"


def test_an_incident_can_be_ended_by_hand_once_and_noted_afterwards(desk: Desk) -> None:
    desk.trade()
    desk.close()
    ended = desk.run("incident", "close", "main", "--reason", "the account is retired")
    assert ended.code == 0, ended.err
    assert "by hand: the account is retired" in ended.out
    again = desk.run("incident", "close", "main", "--reason", "x")
    assert again.code == ExitCode.REFUSED
    assert desk.run("incident", "note", "main", "written later").code == 0
    (one,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert one["ended"] is not None
    assert [note["text"] for note in one["notes"]] == ["written later"]
    assert json.loads((desk.folder / "gate.json").read_text())["state"] == "UNSAFE"
    assert desk.run("status", "--json").document()["accounts"][0]["data"]["incident"] is None
    assert desk.run("incident", "list", "--open").out == "no incident is recorded\n"


@pytest.mark.invariant("I12")
def test_a_place_that_refuses_stops_no_closing_and_is_told(desk: Desk) -> None:
    desk.trade()
    blocked = desk.folder / "state" / "incidents"
    blocked.write_text("not a folder")
    closed = desk.close()
    assert closed.code == 0
    assert "could not be written down" in closed.err
    assert json.loads((desk.folder / "gate.json").read_text())["state"] == "UNSAFE"
    listed = desk.run("incident", "list")
    assert listed.code == ExitCode.DATAERR
    assert "is not known" in desk.run("status").out
    assert desk.run("audit", "verify").code == ExitCode.DATAERR
    blocked.unlink()
    desk.close(reason="again")
    (one,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert (one["late"], one["reason"]) == (True, "lost feed")


def test_a_record_that_was_changed_is_found_and_not_extended(desk: Desk) -> None:
    desk.trade()
    desk.close()
    assert desk.run("audit", "verify").code == 0
    (place,) = desk.files()
    place.write_bytes(place.read_bytes().replace(b"lost feed", b"nice feed"))
    audit = desk.run("audit", "verify", "--json").document()
    assert audit["exit_code"] == ExitCode.DATAERR
    (chain,) = [one for one in audit["data"]["chains"] if one["name"] == place.stem]
    assert chain["problems"][0].startswith("altered")
    ran = desk.run("incident", "note", place.stem, "x")
    assert ran.code == ExitCode.IOERR
    assert "damaged" in ran.err
    assert "damaged" in desk.run("incident", "show").out


def test_a_head_of_an_incident_can_be_kept_elsewhere(desk: Desk) -> None:
    desk.trade()
    desk.close()
    heads = desk.run("audit", "verify", "--json").document()["data"]["heads"]
    (head,) = [text for text in heads if "-incident-" in text]
    assert desk.run("audit", "verify", "--anchor", head).code == 0
    (place,) = desk.files()
    place.write_bytes(place.read_bytes().splitlines(keepends=True)[0])
    assert desk.run("audit", "verify", "--anchor", head).code == ExitCode.DATAERR
    place.unlink()
    assert desk.run("audit", "verify", "--anchor", head).code == ExitCode.DATAERR


def silence(desk: Desk) -> tuple[str, str]:
    document = desk.run("doctor", "--offline", "--json").document()
    probes = {one["probe"]: one for one in document["accounts"][0]["data"]["probes"]}
    return probes["engine silence"]["state"], probes["engine silence"]["detail"]


def with_silence(folder: Path, line: str) -> Desk:
    gate = 'gate_file = "gate.json"\n'
    return Desk(folder, CONFIG.replace(gate, f"{gate}silence = {line}\n"))


def test_the_doctor_says_that_nobody_looks(desk: Desk) -> None:
    state, words = silence(desk)
    assert state == "warn"
    assert "SAFE needs a person's word" in words


def test_the_list_of_engines_says_how_silence_is_observed(tmp_path: Path) -> None:
    desk = with_silence(tmp_path, '{ kind = "systemd", unit = "mm1.service" }')
    (row,) = desk.run("engine", "list", "--json").document()["data"]["engines"]
    assert row["silence"] == "systemd mm1.service"
    assert "systemd mm1.service" in desk.run("engine", "list").out


def test_the_doctor_hears_an_engine_that_acknowledges(tmp_path: Path) -> None:
    desk = with_silence(tmp_path, '{ kind = "acknowledgement" }')
    desk.trade()
    assert silence(desk)[0] == "ok"
    desk.close()
    assert silence(desk)[0] == "warn"
    assert Acknowledger(tmp_path / "gate.json", "main", engine="mm1").acknowledge()
    state, words = silence(desk)
    assert state == "ok"
    assert words.startswith("proved (acknowledgement): the engine mm1")


@pytest.mark.process
def test_the_doctor_sees_a_process_and_remembers_that_it_did(tmp_path: Path) -> None:
    mark = f"silence-{tmp_path.name}"
    desk = with_silence(tmp_path, f'{{ kind = "process", match = ["{mark}"] }}')
    assert silence(desk)[0] == "warn"
    with subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE):
        state, words = silence(desk)
        assert state == "ok"
        assert "the engine runs" in words
    assert silence(desk)[1].startswith("proved (process")


def test_the_doctor_does_not_trust_a_unit_or_a_pid_that_is_not_there(tmp_path: Path) -> None:
    desk = with_silence(tmp_path, '{ kind = "process", pid_file = "bot.pid" }')
    assert silence(desk)[0] == "warn"
    assert "there is no pid file" in silence(desk)[1]
    unit = with_silence(tmp_path, '{ kind = "systemd", unit = "no-such-resyncctl.service" }')
    assert silence(unit)[0] == "warn"
