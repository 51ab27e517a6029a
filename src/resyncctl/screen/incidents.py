"""The screens of incidents: the list, and one incident with figures, timeline and gaps.

Called by `screen.render` for `incident list`, `show`, `note` and `close`. Reasons and notes were
typed by people and may hold anything: every text passes `safe_text` on its way into a cell.
"""

from collections.abc import Iterator, Sequence

from resyncctl.core.incident import Incident, RunFacts
from resyncctl.core.outcome import Outcome
from resyncctl.screen.document import Block, Cell, Column, Row, Table, cell, line, row, state
from resyncctl.screen.text import (
    FAIL,
    OK,
    UNKNOWN,
    WARN,
    Look,
    Mark,
    clock,
    mark_of,
    moment,
    plural,
    span,
)

_LIST = (
    Column(heading="INCIDENT"),
    Column(heading="ACCOUNT", shrink=True, least=8),
    Column(heading="STATE"),
    Column(heading="LASTED", right=True),
    Column(heading="OBJECTIVE", optional=True),
    Column(heading="REASON", shrink=True, least=10),
)
_RUNS = (
    Column(heading="RUN", shrink=True, least=24),
    Column(heading="CANCELS", right=True),
    Column(heading="UNANSWERED", right=True, optional=True),
    Column(heading="END"),
)
_FINDINGS = (
    Column(heading="SEVERITY"),
    Column(heading="FINDING"),
    Column(heading="SUBJECT", shrink=True, least=12),
)


def incidents_in(outcome: Outcome) -> tuple[Incident, ...]:
    """Return the incidents that a command put into its outcome."""
    rows = outcome.data.get("incidents")
    told = rows if isinstance(rows, list | tuple) else ()
    return tuple(one for one in told if isinstance(one, Incident))


def draw_list(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return one line for each incident, the newest first."""
    found = incidents_in(outcome)
    if not found:
        yield line("no incident is recorded")
        return
    yield Table(_LIST, tuple(_list_row(one, outcome.finished_at_ms, look) for one in found))


def _list_row(one: Incident, now_ms: int, look: Look) -> Row:
    mark, word = _state(one)
    kept, objective = objective_of(one)
    return row(
        one.incident_id,
        one.account,
        state(look, mark, word),
        span(one.lasted_ms(now_ms)),
        state(look, kept, objective),
        one.reason,
    )


def _state(one: Incident) -> tuple[Mark, str]:
    return (FAIL, "open") if one.is_open else (OK, "ended")


def objective_of(one: Incident) -> tuple[Mark, str]:
    """Return whether the recovery time objective was kept, as mark and word."""
    if one.metrics.within_rto is None:
        return (WARN, "time left") if one.is_open else (UNKNOWN, "unknown")
    return (OK, "kept") if one.metrics.within_rto else (FAIL, "missed")


def draw(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return every incident of the outcome, whole."""
    for one in incidents_in(outcome):
        yield from draw_one(one, outcome.finished_at_ms, look)


def draw_one(one: Incident, now_ms: int, look: Look) -> Iterator[Block]:
    """Return one incident, whole."""
    mark, word = _state(one)
    yield line(
        Cell("incident ", "bold"), cell(one.incident_id, "bold"), "  ", state(look, mark, word)
    )
    yield line(f"{one.account}: {one.reason}", indent=2)
    yield line(
        f"began {moment(one.began_ms)}, lasted {span(one.lasted_ms(now_ms))}"
        + (f", by {one.by}" if one.by else "")
        + (f" with {one.command}" if one.command else ""),
        indent=2,
    )
    if one.ended_how:
        yield line(f"ended {moment(one.ended_ms)}: {one.ended_how}", indent=2)
    yield line("")
    yield from _figures(one, look)
    yield from _runs(one.runs, look)
    yield from _findings(one, look)
    yield from _timeline(one, look)
    yield from _gaps(one, look)


def figures(one: Incident) -> Iterator[tuple[str, str]]:
    """Yield the figures of an incident as name and words, for the screen and the reports."""
    told = one.metrics
    yield "gate closed after", span(told.gate_closed_after_ms)
    yield "first cancel after", span(told.first_cancel_after_ms)
    yield "proved after", span(told.proved_after_ms)
    yield "SAFE after", span(told.safe_after_ms)
    yield "RUNNING after", span(told.running_after_ms)
    yield "time UNSAFE", span(told.unsafe_ms)
    word = objective_of(one)[1]
    within = f" (SAFE within {span(told.rto_ms)})" if told.rto_ms is not None else ""
    yield "objective", word + within
    yield "cancels sent", {True: "yes", False: "no", None: "?"}[one.cancel_sent]
    yield "orders before", _count(one.orders_before)
    yield "not proved gone", _count(one.residuals)
    yield "last verdict", one.verdict or "?"
    yield "gate now" if one.is_open else "gate at the end", one.gate or "?"


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _figures(one: Incident, look: Look) -> Iterator[Block]:
    told = list(figures(one))
    wide = max(len(name) for name, _ in told)
    for name, words in told:
        shown = cell(words)
        if name == "objective":
            shown = state(look, objective_of(one)[0], words)
        elif name.startswith("gate ") and one.gate and words == one.gate:
            shown = state(look, mark_of(words), words)
        yield line(Cell(f"{name:<{wide}}  "), shown, indent=2)


def _runs(runs: Sequence[RunFacts], look: Look) -> Iterator[Block]:
    if not runs:
        return
    yield line("")
    yield Table(_RUNS, tuple(_run_row(one, look) for one in runs))


def _run_row(one: RunFacts, look: Look) -> Row:
    if not one.readable:
        end = state(look, UNKNOWN, "no journal")
    elif one.alive:
        end = state(look, WARN, "running")
    elif one.exit_code is None:
        end = state(look, FAIL, "broken off")
    else:
        end = state(look, OK if one.exit_code == 0 else WARN, f"exit {one.exit_code}")
    counts = (str(one.cancels), str(one.unanswered)) if one.readable else ("?", "?")
    return row(one.run_id, *counts, end)


def _findings(one: Incident, look: Look) -> Iterator[Block]:
    if not one.findings:
        return
    yield line("")
    rows = [
        row(
            state(look, FAIL if found.severity in {"major", "critical"} else WARN, found.severity),
            found.kind,
            found.subject,
            below=[line(found.detail, indent=5)] if found.detail else (),
        )
        for found in one.findings
    ]
    yield Table(_FINDINGS, tuple(rows))


def _timeline(one: Incident, look: Look) -> Iterator[Block]:
    del look
    yield line("")
    for entry in one.timeline:
        after = f"+{span(entry.at_ms - one.began_ms)}"
        yield line(f"{clock(entry.at_ms)}  {after:>7}  ", entry.text, indent=2)


def _gaps(one: Incident, look: Look) -> Iterator[Block]:
    if not one.not_known:
        return
    yield line("")
    yield line(state(look, UNKNOWN, f"{plural(len(one.not_known), 'thing')} not known"))
    for words in one.not_known:
        yield line(words, indent=4)
