"""One incident from the closing of the gate to the end, told by the command line itself."""

import time

import pytest

from resyncctl.core.exit_codes import ExitCode
from resyncctl.sdk.gate import GateState, write_gate
from tests.cli.desk import Desk

pytestmark = [pytest.mark.process, pytest.mark.slow]


def set_running(desk: Desk) -> None:
    """Let the account trade, as it did before anything went wrong."""
    desk.run("gate", "close")
    now_ms = time.time_ns() // 1_000_000
    for place in (desk.home / "gate.json", desk.home / "state" / "gates" / f"{desk.account}.json"):
        write_gate(
            place,
            account=desk.account,
            state=GateState.RUNNING,
            reason="trading",
            by="test",
            run_id="before",
            now_ms=now_ms,
        )


def test_an_incident_shows_everything_from_the_closing_to_the_safe_gate(desk: Desk) -> None:
    desk.write_checkpoint()
    set_running(desk)
    assert desk.run("incident", "list").out == "no incident is recorded\n"
    desk.seed_orders(2)
    closed = desk.run("gate", "close", "--reason", "the user stream is gone")
    assert closed.code == 0
    cancelled = desk.run("cancel-all", "--yes", "--json").document()
    assert cancelled["status"] == "proved_empty"
    assert desk.run("reconcile", "-q").code == 0
    noted = desk.run("incident", "note", desk.account, "the", "exchange", "is", "told")
    assert noted.code == 0, noted.err

    board = desk.run("status", "--json").document()["accounts"][0]["data"]["incident"]
    assert board["reason"] == "the user stream is gone"

    (found,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert found["incident_id"] == board["id"]
    assert found["ended"] is None
    assert [run["command"] for run in found["runs"]] == ["gate-close", "cancel-all", "reconcile"]
    assert (found["cancel_sent"], found["orders_before"], found["orders_after"]) == (True, 2, 0)
    assert found["verdict"] == "clean"
    assert [note["text"] for note in found["notes"]] == ["the exchange is told"]
    figures = found["metrics"]
    assert 0 <= figures["gate_closed_after_ms"] < figures["first_cancel_after_ms"]
    assert figures["first_cancel_after_ms"] < figures["proved_after_ms"]
    assert figures["safe_after_ms"] is None
    assert figures["within_rto"] is None
    what = [one["what"] for one in found["timeline"]]
    assert what.index("first_cancel") < what.index("proved")
    assert found["not_known"] == []

    audit = desk.run("audit", "verify", "--json").document()
    assert audit["exit_code"] == 0
    assert found["incident_id"] in {chain["name"] for chain in audit["data"]["chains"]}


def test_a_killed_cancel_is_told_as_one_that_never_ended(desk: Desk) -> None:
    set_running(desk)
    desk.seed_orders(3)
    killed = desk.start("cancel-all", "--yes")
    journals = desk.home / "state" / "runs"
    deadline = time.monotonic() + 30
    while '"intent"' not in "".join(
        path.read_text() for path in journals.glob("*cancel-all*/journal.jsonl")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.kill()
    killed.wait(20)
    killed.communicate()
    (found,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert found["cancel_sent"] is True
    (run,) = found["runs"]
    assert f"Run {run['run_id']} stopped without coming to its end." in found["not_known"]
    assert desk.run("cancel-all", "--yes").code == ExitCode.OK
    (found,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert [run["command"] for run in found["runs"]] == ["cancel-all", "cancel-all"]
    assert found["residuals"] == 0


def test_a_resync_and_a_resume_are_one_incident_with_all_of_its_figures(desk: Desk) -> None:
    desk.write_checkpoint()
    set_running(desk)
    desk.seed_orders(2)
    stopped = "--engine-stopped"
    safe = desk.run("resync", desk.account, "--reason", "lost feed", stopped, "--yes", "--json")
    assert safe.code == 0, safe.out
    (found,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert (found["ended"], found["gate"], found["reason"]) == (None, "SAFE", "lost feed")
    resumed = desk.run(
        *("verify", desk.account, "--resume", "--confirm", desk.account, "--no-watch", stopped),
        "--json",
    )
    assert resumed.code == 0, resumed.out
    (found,) = desk.run("incident", "show", "--json").document()["data"]["incidents"]
    assert found["ended"] is not None
    assert (found["gate"], found["verdict"], found["cancel_sent"]) == ("RUNNING", "clean", True)
    assert (found["orders_before"], found["orders_after"]) == (2, 0)
    assert [run["command"] for run in found["runs"]] == ["resync", "verify"]
    figures = found["metrics"]
    order = ("gate_closed", "first_cancel", "proved", "safe", "running")
    moments = [figures[f"{name}_after_ms"] for name in order]
    assert moments == sorted(moments)
    assert figures["within_rto"] is True
    assert figures["unsafe_ms"] <= figures["safe_after_ms"]
    assert found["timeline"][-1]["what"] == "run_ended"
    assert found["not_known"] == []
    assert desk.run("status", "--json").document()["accounts"][0]["data"]["incident"] is None
