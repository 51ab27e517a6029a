"""Killed with -9 at any effect: the record says what may have been sent; a rerun ends it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resyncctl.adapters.store.audit import verify_chains
from resyncctl.adapters.store.chain import read_file
from resyncctl.adapters.store.lease_words import read_holder
from resyncctl.adapters.store.runs import list_runs, resolve_account, unfinished_runs
from resyncctl.core.exit_codes import ExitCode
from resyncctl.sdk.gate import read_gate
from tests.adapters.store.crash_driver import MOMENTS, make_desk
from tests.adapters.store.journals import untouched
from tests.fakes.fake_clock import START_MS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every scenario, already played to its death."""
    folder = tmp_path_factory.mktemp("crashes")
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    driver = [sys.executable, "-m", "tests.adapters.store.crash_driver", str(folder)]
    done = subprocess.run(
        driver, cwd=ROOT, env=environ, timeout=100, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.invariant("I25")
@pytest.mark.process
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_rerun_finishes_what_a_kill_left(dead: Path, moment: str) -> None:
    places = sorted((dead / moment.replace(" ", "-")).iterdir())
    assert len(places) > (4 if "wire" in moment else 12), "too few moments were reached"
    assert (places[-1] / "survived").read_text() == "0"
    for place in places[:-1]:
        check_one_death(place)


def check_one_death(place: Path) -> None:
    desk = make_desk(place)
    roots = [desk.state_dir, desk.fallback]
    sent = (place / "wire.log").read_text().split()
    (died,) = list_runs(roots) or (None,)
    assert died is not None
    assert not died.alive
    assert read_holder(desk.state_dir, "main") is None
    recorded = {
        str(record.details["intent_id"])
        for piece in died.files
        for record in read_file(piece).records
        if record.event == "intent"
    }
    assert set(sent) <= recorded, "every request on the wire has an earlier record on disk"
    assert len(sent) == len(set(sent)), "one permit pays for one request"
    waiting = {intent.intent_id for intent in died.open_intents}
    assert waiting <= recorded
    if sent:
        assert not read_gate(desk.engine_file, "main").permits_orders
        assert died.mutated
    proved = died.head.sequence > 0 and not died.unresolved
    if died.head.sequence and not proved:
        assert [run.run_id for run in unfinished_runs(roots, "main")] == [died.run_id]
    else:
        assert unfinished_runs(roots) == ()
        assert not proved or len(sent) == 4
    desk.clock.wall_ms = START_MS + 3_600_000
    outcome = desk.cancel_all(desk.venue())
    assert outcome.exit_code is ExitCode.OK
    assert desk.journal is not None
    assert outcome.status == "proved_empty"
    resolve_account(roots, "main", by_run=desk.journal.run_id, clock=desk.clock, redact=untouched)
    assert unfinished_runs(roots) == ()
    report = verify_chains(roots)
    assert report.ok, report.breaks
    assert report.heads[0].run_id == desk.journal.run_id
