"""An incident says what was recorded, and says what was not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.incident import (
    Incident,
    IncidentEvent,
    IncidentEventKind,
    RunFacts,
    opens_incident,
    runs_of,
)
from resyncctl.core.incident_story import tell

T0 = 1_790_000_000_000
KIND = IncidentEventKind


def event(at_s: float, kind: str, run_id: str = "r1", **details: object) -> IncidentEvent:
    return IncidentEvent(
        at_ms=T0 + int(at_s * 1000), run_id=run_id, event=kind, details=dict(details)
    )


def opened(at_s: float = 1, **details: object) -> IncidentEvent:
    told: dict[str, object] = {
        "reason": "lost feed",
        "by": "desk@host",
        "command": "cancel-all",
        "from": "RUNNING",
        "to": "UNSAFE",
        "gate_closed": True,
        "asked_ms": T0,
        "late": False,
        "rto_ms": 300_000,
        **details,
    }
    return replace(event(at_s, KIND.OPENED), details=told)


def moved(at_s: float, was: str, to: str, run_id: str = "r2") -> IncidentEvent:
    return event(
        at_s, KIND.GATE_MOVED, run_id, **{"from": was, "to": to, "reason": "x", "by": "desk"}
    )


def ended(at_s: float, run_id: str = "r1", **details: object) -> IncidentEvent:
    return event(
        at_s,
        KIND.RUN_ENDED,
        run_id,
        **{"command": "cancel-all", "status": "proved_empty", "exit_code": 0, **details},
    )


FACTS = RunFacts(
    run_id="r1",
    command="cancel-all",
    began_ms=T0,
    ended_ms=T0 + 60_000,
    exit_code=0,
    first_cancel_ms=T0 + 1_500,
    cancels=4,
    proved_ms=T0 + 42_000,
)
STORY = (
    opened(),
    ended(60, counts={"before": 7, "left": 0, "unproven": 0}),
    ended(
        70,
        "r2",
        command="reconcile",
        status="clean",
        verdict="clean",
        findings=[
            {"kind": "CLAIMED_ORDER", "severity": "info", "subject": "main", "detail": "known"}
        ],
    ),
    moved(80, "UNSAFE", "SAFE"),
    moved(90, "SAFE", "RUNNING"),
    event(90, KIND.CLOSED, "r2", how="the account trades again", by="desk"),
)
RUNS = (
    FACTS,
    RunFacts(run_id="r2", command="reconcile", began_ms=T0 + 65_000, ended_ms=T0 + 90_000),
)


def told(*events: IncidentEvent, runs: tuple[RunFacts, ...] = RUNS, now_s: float = 500) -> Incident:
    return tell("i1", "main", events, runs, now_ms=T0 + int(now_s * 1000))


def test_a_whole_incident_has_every_figure_of_the_policy() -> None:
    found = told(*STORY)
    figures = found.metrics
    assert figures.gate_closed_after_ms == 1_000
    assert figures.first_cancel_after_ms == 1_500
    assert figures.proved_after_ms == 42_000
    assert figures.safe_after_ms == 80_000
    assert figures.running_after_ms == 90_000
    assert figures.unsafe_ms == 79_000
    assert (figures.rto_ms, figures.within_rto) == (300_000, True)
    assert (found.orders_before, found.orders_after, found.residuals) == (7, 0, 0)
    assert (found.cancel_sent, found.verdict, found.gate) == (True, "clean", "RUNNING")
    assert not found.is_open
    assert found.lasted_ms(T0 + 999_000) == 90_000
    assert [one.kind for one in found.findings] == ["CLAIMED_ORDER"]
    assert found.not_known == ()
    assert [one.what for one in found.timeline] == [
        "incident_opened",
        "first_cancel",
        "proved",
        "run_ended",
        "run_ended",
        "gate_moved",
        "gate_moved",
        "incident_closed",
    ]


def test_the_objective_is_kept_missed_or_not_decided_yet() -> None:
    late = (*STORY[:3], moved(301, "UNSAFE", "SAFE"))
    assert told(*late).metrics.within_rto is False
    assert told(*STORY[:3], now_s=299).metrics.within_rto is None
    assert told(*STORY[:3], now_s=301).metrics.within_rto is False
    assert told(replace(STORY[0], details={"gate_closed": True})).metrics.within_rto is None


def test_a_gate_that_closes_again_takes_the_safety_back() -> None:
    found = told(*STORY[:4], moved(100, "SAFE", "UNSAFE"), moved(130, "UNSAFE", "SAFE"))
    assert found.metrics.safe_after_ms == 130_000
    assert found.metrics.unsafe_ms == 79_000 + 30_000
    again = told(*STORY[:4], moved(100, "SAFE", "UNSAFE"), now_s=110)
    assert again.metrics.safe_after_ms is None
    assert again.metrics.unsafe_ms == 79_000 + 10_000
    assert again.gate == "UNSAFE"


def test_a_gate_that_could_not_be_closed_is_not_called_closed() -> None:
    failed = event(1, KIND.GATE_NOT_MOVED, to="UNSAFE", trouble="the disk is full")
    found = told(opened(gate_closed=False), failed)
    assert found.metrics.gate_closed_after_ms is None
    assert found.metrics.unsafe_ms is None
    assert found.gate == ""
    assert "Nothing recorded says that the gate was closed." in found.not_known
    assert "The gate could not be moved once; see the timeline." in found.not_known
    assert found.timeline[0].text.startswith("gate not known to be closed")


def test_what_is_not_recorded_is_not_known() -> None:
    lost = RunFacts(run_id="r1", command="cancel-all", readable=False)
    found = told(opened(late=True), runs=(lost,))
    assert found.cancel_sent is None
    assert found.residuals is None
    assert found.not_known == (
        "The record was begun afterwards: what happened before it is not in it.",
        "The journal of run r1 cannot be read.",
        "No run has proved that nothing unexpected rests.",
        "No comparison with the engine was recorded.",
    )
    dead = replace(FACTS, ended_ms=None, unanswered=2, proved_ms=None, cancels=0)
    words = told(opened(), runs=(dead,)).not_known
    assert "Run r1 stopped without coming to its end." in words
    assert "2 requests have no known outcome in run r1." in words
    alive = told(opened(), runs=(replace(dead, alive=True, unanswered=0),))
    assert not any("stopped" in word for word in alive.not_known)
    assert alive.cancel_sent is False


def test_a_record_without_its_beginning_is_still_told() -> None:
    found = told(STORY[3])
    assert "The beginning of the record is missing." in found.not_known
    assert found.metrics.gate_closed_after_ms is None
    assert told(runs=()).timeline == ()


def test_residuals_are_those_of_the_last_run_that_counted() -> None:
    first = ended(10, counts={"before": 9, "left": 2, "unproven": 3}, status="residual")
    assert told(opened(), first).residuals == 3
    assert told(opened(), first, ended(20, counts={"findings": 4})).residuals == 3
    assert told(opened(), first, ended(20, counts={"left": 0, "unproven": 0})).residuals == 0


def test_every_command_counts_in_words_of_its_own() -> None:
    resync = ended(10, command="resync", counts={"orders_before": 5, "orders_after": 1})
    found = told(opened(), resync)
    assert (found.orders_before, found.orders_after, found.residuals) == (5, 1, None)
    unknown = ended(10, command="resync", counts={"orders_before": "?", "orders_after": "?"})
    assert told(opened(), unknown).orders_before is None
    flatten = ended(20, command="flatten", counts={"flat": 3, "residual": 1, "unknown": 2})
    assert told(opened(), resync, flatten).residuals == 3
    verify = ended(30, command="verify", counts={"orders_unexpected": 4, "open_orders": 9})
    assert (told(opened(), verify).residuals, told(opened(), verify).orders_before) == (4, 9)


def test_a_cancel_that_was_left_out_on_purpose_is_said() -> None:
    skipped = ended(10, command="resync", status="safe", cancel_skipped=True)
    assert told(opened(), skipped).timeline[-2].text == (
        "resync ended: safe (exit 0); its cancel was left out on purpose"
    )


def test_notes_and_unknown_events_are_kept() -> None:
    note = event(5, KIND.NOTE, by="desk", text="called the exchange")
    later = event(6, "approval_given", text="approved by two")
    found = told(opened(), note, later)
    assert [(one.by, one.text) for one in found.notes] == [("desk", "called the exchange")]
    assert [one.text for one in found.timeline if one.at_ms in {T0 + 5_000, T0 + 6_000}] == [
        "note by desk: called the exchange",
        "approved by two",
    ]


def test_runs_are_named_once_in_the_order_of_their_appearance() -> None:
    assert runs_of(STORY) == ("r1", "r2")
    assert runs_of([event(1, KIND.NOTE, "r9")]) == ()


@pytest.mark.parametrize(
    ("state", "trusted", "last", "copy_open", "begins"),
    [
        (GateState.RUNNING, True, None, False, True),
        (GateState.SAFE, True, None, False, True),
        (GateState.UNSAFE, True, "RUNNING", False, False),
        (GateState.UNSAFE, False, None, False, False),
        (GateState.UNSAFE, False, "UNSAFE", False, False),
        (GateState.UNSAFE, False, "SAFE", False, True),
        (GateState.UNSAFE, False, "RUNNING", False, True),
        (GateState.UNSAFE, False, None, True, True),
        (GateState.UNSAFE, False, "UNSAFE", True, True),
    ],
)
def test_an_incident_begins_where_a_gate_was_open(
    state: GateState, *, trusted: bool, last: str | None, copy_open: bool, begins: bool
) -> None:
    before = GateReading(
        account="main",
        state=state,
        reason="",
        since_ms=None,
        by=None,
        sequence=1,
        trusted=trusted,
    )
    assert opens_incident(before, last, copy_open=copy_open) is begins


STATES = st.sampled_from(["UNSAFE", "SAFE", "RUNNING"])


@given(st.lists(st.tuples(st.integers(1, 400), STATES), max_size=8))
def test_time_unsafe_and_time_open_make_up_the_whole(moves: list[tuple[int, str]]) -> None:
    moves.sort(key=lambda one: one[0])
    found = told(opened(), *(moved(at_s, "?", to) for at_s, to in moves))
    state, since_ms, unsafe_ms = "UNSAFE", 1_000, 0
    for at_s, to in [*moves, (500, "end")]:
        unsafe_ms += at_s * 1000 - since_ms if state == "UNSAFE" else 0
        state, since_ms = to, at_s * 1000
    assert found.metrics.unsafe_ms == unsafe_ms
    safe = found.metrics.safe_after_ms
    assert (safe is not None) == (found.gate != "UNSAFE")
