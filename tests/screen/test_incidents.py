"""How incidents look on a terminal and in a report, and that nothing in them steers either."""

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.incident import (
    Finding,
    Incident,
    IncidentMetrics,
    Note,
    RunFacts,
    TimelineEntry,
)
from resyncctl.core.outcome import Outcome
from resyncctl.screen import incident_report
from resyncctl.screen.envelope import envelope
from resyncctl.screen.render import screen_of
from resyncctl.screen.terminal import as_text
from resyncctl.screen.text import Look

FOLDER = Path(__file__).parents[1] / "goldens"
T0 = 1_795_253_467_000
HOSTILE = "\x1b[2J[bold]x[/bold] <script>alert(1)</script> | `y` \u202e**z**\n# no [a](http://b)"

OPEN = Incident(
    incident_id="20261121T093107Z-incident-7f3k",
    account="binance-main",
    began_ms=T0,
    opened_ms=T0 + 400,
    ended_ms=None,
    ended_how="",
    reason="the user stream was lost twice within a minute",
    by="desk@host",
    command="cancel-all",
    late=False,
    gate="UNSAFE",
    runs=(
        RunFacts(
            run_id="20261121T093107Z-cancel-all-3kq9",
            command="cancel-all",
            began_ms=T0,
            ended_ms=T0 + 44_000,
            exit_code=13,
            first_cancel_ms=T0 + 900,
            cancels=7,
            unanswered=1,
        ),
        RunFacts(run_id="20261121T093200Z-reconcile-8ab2", command="reconcile", readable=False),
    ),
    timeline=(
        TimelineEntry(
            at_ms=T0 + 400,
            what="incident_opened",
            text="gate closed: the user stream was lost twice within a minute (by desk@host)",
            run_id="20261121T093107Z-cancel-all-3kq9",
        ),
        TimelineEntry(
            at_ms=T0 + 900,
            what="first_cancel",
            text="first of 7 cancel requests by cancel-all",
            run_id="20261121T093107Z-cancel-all-3kq9",
        ),
    ),
    metrics=IncidentMetrics(
        gate_closed_after_ms=400,
        first_cancel_after_ms=900,
        proved_after_ms=None,
        safe_after_ms=None,
        running_after_ms=None,
        unsafe_ms=134_000,
        rto_ms=300_000,
        within_rto=None,
    ),
    cancel_sent=True,
    orders_before=37,
    orders_after=2,
    residuals=2,
    verdict="discrepant",
    findings=(
        Finding(
            kind="ORPHAN_ORDER",
            severity="major",
            subject="binance-main BTC/USDT",
            detail="the engine does not know it",
        ),
    ),
    notes=(Note(at_ms=T0 + 60_000, by="desk@host", text="called the exchange"),),
    not_known=(
        "The journal of run 20261121T093200Z-reconcile-8ab2 cannot be read.",
        "No run has proved that nothing unexpected rests.",
    ),
)
ENDED = replace(
    OPEN,
    incident_id="20261120T080000Z-incident-2bcd",
    account="okx-mm",
    ended_ms=T0 + 200_000,
    ended_how="the account trades again",
    gate="RUNNING",
    metrics=replace(OPEN.metrics, within_rto=True, safe_after_ms=150_000, running_after_ms=200_000),
    not_known=(),
)


def outcome(command: str, *incidents: Incident) -> Outcome:
    return Outcome(
        command=command,
        run_id="r",
        started_at_ms=T0 + 134_000,
        finished_at_ms=T0 + 134_000,
        exit_code=ExitCode.OK,
        data={"incidents": incidents},
    )


def hostile() -> Incident:
    return replace(
        OPEN,
        account=HOSTILE,
        reason=HOSTILE,
        by=HOSTILE,
        command=HOSTILE,
        ended_how=HOSTILE,
        verdict=HOSTILE,
        timeline=(replace(OPEN.timeline[0], text=HOSTILE),),
        notes=(Note(at_ms=T0, by=HOSTILE, text=HOSTILE),),
        findings=(Finding(kind=HOSTILE, severity=HOSTILE, subject=HOSTILE, detail=HOSTILE),),
        not_known=(HOSTILE,),
    )


TEXTS = {
    "incident-list.txt": lambda: as_text(
        screen_of(outcome("incident-list", OPEN, ENDED), Look(width=80)), Look(width=80)
    ),
    "incident-show.txt": lambda: as_text(
        screen_of(outcome("incident-show", OPEN), Look(width=80)), Look(width=80)
    ),
    "incident.md": lambda: incident_report.markdown(OPEN, T0 + 134_000),
    "incident.html": lambda: incident_report.page(OPEN, T0 + 134_000),
}


@pytest.mark.parametrize("name", TEXTS)
def test_it_is_the_one_that_was_read(name: str) -> None:
    text = TEXTS[name]()
    path = FOLDER / name
    if os.environ.get("RESYNCCTL_ACCEPT_GOLDENS"):
        path.write_text(text)
    assert path.read_text() == text


def test_no_incident_is_said_in_words() -> None:
    assert as_text(screen_of(outcome("incident-list"), Look()), Look()) == (
        "no incident is recorded\n"
    )


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("command", ["incident-list", "incident-show"])
def test_no_line_is_wider_than_the_terminal(command: str, width: int) -> None:
    look = Look(width=width)
    for line in as_text(screen_of(outcome(command, OPEN), look), look).splitlines():
        longest = max((len(word) for word in line.split()), default=0)
        assert len(line) <= width or longest > width - 22, line


@pytest.mark.invariant("I45")
@pytest.mark.parametrize("command", ["incident-list", "incident-show", "incident-note"])
def test_what_was_typed_cannot_steer_the_terminal(command: str) -> None:
    look = Look(width=80)
    text = as_text(screen_of(outcome(command, hostile()), look), look)
    for letter in ("\x1b", "\u202e", "\x07"):
        assert letter not in text
    if command != "incident-list":
        assert "[bold]x[/bold]" in text
    ascii_look = Look(width=80, unicode=False)
    assert as_text(screen_of(outcome(command, hostile()), ascii_look), ascii_look).isascii()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


OWN_TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "h1",
    "h2",
    "section",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "ul",
    "li",
}


@pytest.mark.invariant("I45")
def test_what_was_typed_is_text_in_the_page() -> None:
    text = incident_report.page(hostile(), T0)
    found = _Tags()
    found.feed(text)
    assert found.tags == OWN_TAGS
    assert found.attributes == {"lang", "charset", "http-equiv", "content", "name"}
    assert "default-src 'none'" in text
    for letter in ("\x1b", "\u202e", "<script"):
        assert letter not in text


@pytest.mark.invariant("I45")
@given(st.text(max_size=60))
def test_no_text_adds_a_line_a_cell_or_a_mark_to_the_markdown(words: str) -> None:
    def shape(text: str) -> list[int]:
        """The number of cell borders in each line."""
        return [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in text.splitlines()]

    plain = replace(OPEN, reason="x", notes=(Note(at_ms=T0, by="y", text="z"),))
    typed = replace(OPEN, reason=words, notes=(Note(at_ms=T0, by=words, text=words),))
    made = incident_report.markdown(typed, T0)
    assert shape(made) == shape(incident_report.markdown(plain, T0))
    inside = made.split("Reason: ")[1].splitlines()[0]
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>]", inside.replace("&lt;", ""))


def test_times_in_the_document_are_readable_and_figures_stay_numbers() -> None:
    (one,) = json.loads(json.dumps(envelope(outcome("incident-show", OPEN))))["data"]["incidents"]
    assert one["began"] == "2026-11-21T09:31:07.000Z"
    assert one["ended"] is None
    assert one["runs"][0]["first_cancel"] == "2026-11-21T09:31:07.900Z"
    assert one["metrics"]["unsafe_ms"] == 134_000
    assert one["timeline"][0]["at"] == "2026-11-21T09:31:07.400Z"
