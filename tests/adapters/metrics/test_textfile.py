"""The metrics file: whole, shared between cron jobs, truthful after failures, read back."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from resyncctl.adapters.metrics.collect import collect
from resyncctl.adapters.metrics.textfile import DOCUMENTATION, read_lines, write_textfile
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Verdict
from resyncctl.core.errors import ConfigurationError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.outcome import AccountOutcome, Outcome, SectionReport
from resyncctl.ports.store import RunMetrics
from tests.fakes.memory_store import MemoryStore

NOW = 1_795_000_000_000
RULES = Path(__file__).parents[3] / "docs" / "alerts" / "resyncctl.rules.yml"

GOOD = RunMetrics(
    account="main",
    run_id="r",
    command="reconcile",
    at_ms=NOW,
    duration_ms=1_500,
    exit_code=11,
    completed=True,
    verdict="discrepant",
    discrepancies={("ORPHAN_ORDER", "major"): 2, ("BALANCE_MISMATCH", "major"): 1},
    balance_mismatches=1,
    order_mismatches=2,
    weight_used=120,
    gate_state="UNSAFE",
    gate_since_ms=NOW - 60_000,
)


def value(path: Path, name: str, **labels: str) -> float | None:
    """Read one value as Prometheus would."""
    found = [
        sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
        if sample.name == f"resyncctl_{name}" and sample.labels == labels
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_every_figure_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "resyncctl.prom"
    assert write_textfile(path, [GOOD]) is None
    at = {"account": "main"}
    assert value(path, "last_run_timestamp_seconds", **at) == NOW / 1000
    assert value(path, "last_success_timestamp_seconds", **at) == NOW / 1000
    assert value(path, "run_duration_seconds", **at) == 1.5
    assert value(path, "exit_code", **at) == 11
    assert value(path, "discrepancies", kind="ORPHAN_ORDER", severity="major", **at) == 2
    assert value(path, "balance_mismatches", **at) == 1
    assert value(path, "order_mismatches", **at) == 2
    assert value(path, "stale_orders", **at) == 0
    assert value(path, "weight_used", **at) == 120
    assert value(path, "consecutive_failures", **at) == 0
    assert value(path, "verdict", verdict="discrepant", **at) == 1
    assert value(path, "verdict", verdict="clean", **at) == 0
    assert value(path, "gate_state", state="UNSAFE", **at) == 1
    assert value(path, "gate_state", state="RUNNING", **at) == 0
    assert value(path, "gate_since_timestamp_seconds", **at) == NOW / 1000 - 60
    assert os.listdir(tmp_path) in (
        ["resyncctl.prom", ".resyncctl.prom.lock"],
        [".resyncctl.prom.lock", "resyncctl.prom"],
    )


def test_a_finding_that_is_gone_is_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    write_textfile(path, [GOOD])
    write_textfile(path, [replace(GOOD, discrepancies={}, verdict="clean")])
    assert "ORPHAN_ORDER" not in path.read_text()


def test_other_accounts_keep_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    other = replace(GOOD, account='we"ird\\\nname ä', exit_code=0)
    write_textfile(path, [GOOD])
    write_textfile(path, [other])
    assert value(path, "exit_code", account="main") == 11
    assert value(path, "exit_code", account=other.account) == 0


def failed(failures: int = 1) -> RunMetrics:
    return replace(
        GOOD,
        at_ms=NOW + 300_000,
        exit_code=69,
        completed=False,
        verdict=None,
        discrepancies={},
        consecutive_failures=failures,
    )


def test_a_failed_run_is_written_and_keeps_the_last_success(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    write_textfile(path, [GOOD])
    write_textfile(path, [failed()])
    at = {"account": "main"}
    assert value(path, "last_run_timestamp_seconds", **at) == NOW / 1000 + 300
    assert value(path, "last_success_timestamp_seconds", **at) == NOW / 1000
    assert value(path, "exit_code", **at) == 69
    assert value(path, "consecutive_failures", **at) == 1
    assert value(path, "verdict", verdict="discrepant", **at) is None


def test_failures_are_counted_on_without_the_store(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    for expected in (1, 2, 3, 4, 5):
        write_textfile(path, [failed(1)])
        assert value(path, "consecutive_failures", account="main") == expected
    write_textfile(path, [failed(9)])
    assert value(path, "consecutive_failures", account="main") == 9
    write_textfile(path, [GOOD])
    assert value(path, "consecutive_failures", account="main") == 0


def test_a_wrong_name_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.prom"):
        write_textfile(tmp_path / "metrics.txt", [GOOD])


def test_a_file_that_cannot_be_written_is_only_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warning = write_textfile(tmp_path / "file" / "a.prom", [GOOD])
    assert warning is not None
    assert "a.prom" in warning


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_in_the_old_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.prom"
    path.write_bytes(content)
    assert write_textfile(path, [GOOD]) is None
    assert value(path, "exit_code", account="main") == 11


PART = st.sampled_from(
    ["resyncctl_exit_code", "{", "}", 'account="main"', "account", "=", '"', "1", " ", "\n", "# "]
)


@given(st.lists(PART, max_size=15))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_half_right_lines_in_the_old_file_do_no_harm(tmp_path: Path, parts: list[str]) -> None:
    path = tmp_path / "a.prom"
    path.write_text("".join(parts))
    assert write_textfile(path, [GOOD]) is None
    assert value(path, "exit_code", account="main") == 11


WRITE = """
import sys
from dataclasses import replace
from pathlib import Path
from resyncctl.adapters.metrics.textfile import write_textfile
from resyncctl.ports.store import RunMetrics
for number in range(15):
    run = RunMetrics(account=sys.argv[2], run_id="r", command="c", at_ms=number, duration_ms=1,
                     exit_code=number, completed=True)
    warning = write_textfile(Path(sys.argv[1]), [run])
    assert warning is None, warning
"""


@pytest.mark.process
def test_several_cron_jobs_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    children = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(path), name]) for name in ("a", "b", "c")
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    for name in ("a", "b", "c"):
        assert value(path, "exit_code", account=name) == 14


def test_each_alert_names_a_metric_that_is_exported(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    write_textfile(path, [GOOD])
    exported = {name for name, _ in read_lines(path)}
    text = RULES.read_text()
    expressions = re.findall(r"^\s+expr: (.+)$", text, re.MULTILINE)
    assert len(expressions) == text.count("- alert: ") == 5
    for expression in expressions:
        names = set(re.findall(r"resyncctl_[a-z_]+", expression))
        assert names, expression
        assert names <= exported, expression
    for label, known in (("state", "UNSAFE"),):
        assert value(path, "gate_state", account="main", **{label: known}) is not None


def test_every_documented_metric_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    write_textfile(path, [GOOD])
    assert {name.removeprefix("resyncctl_") for name, _ in read_lines(path)} == set(DOCUMENTATION)


def finding(kind: Kind, severity: Severity = Severity.MAJOR) -> Discrepancy:
    return Discrepancy(kind=kind, severity=severity, subject=Subject(account="main"))


def outcome(*accounts: AccountOutcome) -> Outcome:
    return Outcome(
        command="reconcile",
        run_id="r",
        started_at_ms=NOW - 2_000,
        finished_at_ms=NOW,
        exit_code=ExitCode.BLOCKED,
        accounts=accounts,
    )


def test_figures_come_from_the_outcome() -> None:
    section = SectionReport(
        side="venue", section="orders", scope="spot/regular", known=False, complete=False, rows=0
    )
    account = AccountOutcome(
        account="main",
        status="unknown",
        exit_code=ExitCode.INCOMPLETE,
        verdict=Verdict.UNKNOWN,
        findings=(
            finding(Kind.ORPHAN_ORDER),
            finding(Kind.MISSING_ORDER),
            finding(Kind.LOCKED_MISMATCH),
            finding(Kind.STALE_ORDER, Severity.MINOR),
            finding(Kind.SECTION_UNREADABLE),
        ),
        sections=(section, replace(section, known=True)),
        evidence={"weight_used": 77},
        timings={"total_ms": 900},
    )
    gate = GateReading(
        account="main", state=GateState.SAFE, reason="", since_ms=5, by="b", sequence=1
    )
    store = MemoryStore()
    store.add_metrics(failed(6))
    (figures,) = collect(outcome(account), gates={"main": gate}, store=store)
    assert figures.order_mismatches == 2
    assert figures.balance_mismatches == 1
    assert figures.stale_orders == 1
    assert figures.sections_unknown == 1
    assert figures.weight_used == 77
    assert figures.duration_ms == 900
    assert (figures.completed, figures.consecutive_failures) == (False, 7)
    assert (figures.gate_state, figures.gate_since_ms) == ("SAFE", 5)
    assert figures.discrepancies["STALE_ORDER", "minor"] == 1


@pytest.mark.parametrize("code", list(ExitCode))
def test_which_runs_count_as_failures(code: ExitCode) -> None:
    account = AccountOutcome(account="main", status="x", exit_code=code)
    found = collect(outcome(account), gates={}, store=MemoryStore())
    if code is ExitCode.LOCKED:
        assert found == ()
        return
    answered = code in {
        ExitCode.OK,
        ExitCode.DISCREPANCIES,
        ExitCode.BLOCKED,
        ExitCode.RESIDUAL,
        ExitCode.MISSED,
    }
    assert found[0].completed is answered
    assert found[0].consecutive_failures == (0 if answered else 1)
    assert found[0].duration_ms == 2_000
