"""The small promises that every screen stands on."""

import io
import json
import unicodedata
from decimal import Decimal
from pathlib import PurePosixPath

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.exit_codes import ExitCode
from resyncctl.screen import envelope, nagios, schemas
from resyncctl.screen.document import Column, Row, Table, cell
from resyncctl.screen.layout import lay_out
from resyncctl.screen.progress import JsonProgress, LineProgress
from resyncctl.screen.render import Output, render
from resyncctl.screen.terminal import look_at, wants_colour
from resyncctl.screen.text import (
    Look,
    ascii_text,
    mark_of,
    moment,
    rfc3339,
    safe_text,
    shorten,
    span,
)
from tests.fakes import outcomes as made


@pytest.mark.invariant("I45")
@given(st.text())
def test_safe_text_holds_no_character_that_steers(text: str) -> None:
    safe = safe_text(text)
    for letter in safe:
        assert unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert safe_text(safe) == safe


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P"))))
def test_safe_text_leaves_plain_text_alone(text: str) -> None:
    assert safe_text(text) == text


@given(st.text(min_size=1), st.integers(min_value=1, max_value=40), st.booleans())
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, width: int, unicode: bool) -> None:
    short = shorten(text, width, unicode=unicode)
    assert len(short) <= max(width, 1)
    if len(text) <= width:
        assert short == text
    elif width > 6:
        assert text.startswith(short[: (width - 3) // 2])
        assert text.endswith(short[-((width - 4) // 2) :])


@given(st.text())
def test_ascii_text_is_ascii(text: str) -> None:
    assert ascii_text(text).isascii()


NUMBERS = st.from_regex(r"\A-?[0-9]{1,12}(\.[0-9]{1,10})?\Z")


@given(
    st.lists(
        st.tuples(st.text(max_size=40).map(safe_text), NUMBERS, NUMBERS), min_size=1, max_size=5
    ),
    st.integers(min_value=30, max_value=120) | st.none(),
)
def test_a_table_never_loses_a_digit(rows: list[tuple[str, str, str]], width: int | None) -> None:
    table = Table(
        (
            Column(heading="ID", shrink=True),
            Column(heading="QUANTITY", right=True),
            Column(heading="PRICE", right=True),
        ),
        tuple(Row(tuple(cell(value) for value in row)) for row in rows),
    )
    text = "\n".join(
        "".join(one.text for one in laid) for laid in lay_out((table,), Look(width=width))
    )
    for _, quantity, price in rows:
        assert quantity in text
        assert price in text


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (None, "?"),
        (0, "0.0s"),
        (840, "0.8s"),
        (42_000, "42s"),
        (134_000, "02:14"),
        (6 * 3_600_000 + 600_000, "6h10m"),
        (3 * 86_400_000 + 7_200_000, "3d02h"),
        (-134_000, "-02:14"),
    ],
)
def test_a_span_is_told_in_the_unit_that_matters(duration_ms: int | None, words: str) -> None:
    assert span(duration_ms) == words


def test_times_are_utc() -> None:
    assert rfc3339(made.NOW_MS) == "2026-11-21T09:31:07.123Z"
    assert moment(made.NOW_MS) == "2026-11-21 09:31:07Z"
    assert moment(None) == "?"


def test_a_state_that_nobody_knows_is_marked_as_not_known() -> None:
    assert mark_of("something new").ascii_glyph == "?"


def test_a_float_has_no_place_in_a_document() -> None:
    with pytest.raises(TypeError, match="float"):
        envelope.friendly({"price": 0.1})


def test_friendly_values() -> None:
    told = envelope.friendly(
        {
            "amount": Decimal("1E-8"),
            "as_of_ms": made.NOW_MS,
            "valid_until_ms": None,
            "total_ms": 12,
            "verdict": Verdict.CLEAN,
            "path": PurePosixPath("/x"),
            "many": (Decimal("1.50"), {"since_ms": 0}),
        }
    )
    assert told == {
        "amount": "0.00000001",
        "as_of": "2026-11-21T09:31:07.123Z",
        "valid_until": None,
        "total_ms": 12,
        "verdict": "clean",
        "path": "/x",
        "many": ["1.5", {"since": "1970-01-01T00:00:00.000Z"}],
    }


OUTCOMES = {
    "blocked": made.outcome("reconcile", made.discrepant(), code=ExitCode.BLOCKED),
    "several": made.outcome(
        "reconcile", made.clean(), made.unknown(), made.refused(), code=ExitCode.INCOMPLETE
    ),
    "residual": made.outcome("cancel-all", made.residual(), code=ExitCode.RESIDUAL),
    "plan": made.outcome("cancel-all", made.planned(), code=ExitCode.OK),
    "board": made.outcome("status", made.board_row("a", "UNSAFE"), code=ExitCode.BLOCKED),
    "gate": made.outcome("gate-open", made.gate_outcome(), code=ExitCode.REFUSED),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_document_obeys_its_schema(name: str) -> None:
    outcome = OUTCOMES[name]
    document = json.loads(envelope.dumps(envelope.envelope(outcome)))
    schema = json.loads(schemas.rendered()[f"{outcome.command}.v1.json"])
    jsonschema.validate(document, schema)
    for field in ("findings", "actions", "accounts", "error", "exit_code", "schema"):
        broken = {key: value for key, value in document.items() if key != field}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_the_schema_refuses_an_unknown_kind_and_a_bare_number() -> None:
    document = envelope.envelope(OUTCOMES["blocked"])
    schema = schemas.schema_of("reconcile")
    changes: list[dict[str, object]] = [
        {"kind": "SOMETHING"},
        {"unexplained": 1},
        {"id": "short"},
        {"subject": {}},
    ]
    for change in changes:
        text = json.loads(envelope.dumps(document))
        text["findings"][0] |= change
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(text, schema)


def test_one_account_that_is_not_known_makes_the_whole_unknown() -> None:
    assert envelope.verdict_of(OUTCOMES["several"]) is Verdict.UNKNOWN
    assert envelope.verdict_of(OUTCOMES["blocked"]) is Verdict.DISCREPANT
    assert envelope.verdict_of(OUTCOMES["plan"]) is None
    assert envelope.status_of(OUTCOMES["several"]) == "mixed"


def test_json_lines_end_with_the_outcome() -> None:
    events = list(envelope.jsonl(OUTCOMES["several"]))
    assert [event["event"] for event in events] == ["finding"] + ["account"] * 3 + ["outcome"]
    assert events[-1]["exit_code"] == 12
    assert "accounts" not in events[-1]


@pytest.mark.parametrize(
    ("name", "word", "code"),
    [("blocked", "CRITICAL", 2), ("several", "UNKNOWN", 3), ("plan", "OK", 0)],
)
def test_nagios_says_the_word_of_its_code(name: str, word: str, code: int) -> None:
    from resyncctl.core.exit_codes import nagios_code

    text = nagios.report(OUTCOMES[name])
    assert text.startswith(f"RESYNC {word} - ")
    assert nagios_code(OUTCOMES[name].exit_code) == code
    assert text.isascii()
    assert text.splitlines()[0].count("|") == 1
    assert "\x1b" not in text


def test_performance_data_leave_out_what_is_not_known() -> None:
    first = nagios.report(OUTCOMES["several"]).splitlines()[0]
    assert "'kraken-cold findings'=1" in first
    assert "bybit-hedge findings" not in first


def quiet(name: str) -> str:
    stream = io.StringIO()
    render(OUTCOMES[name], stream, Look(width=None), output=Output.TABLE, quiet=True)
    return stream.getvalue()


def test_quiet_is_nothing_or_one_line_for_each_account() -> None:
    assert quiet("plan") == ""
    assert quiet("blocked").count("\n") == 1
    assert quiet("blocked").startswith("binance-main: discrepant: 1 BALANCE_MISMATCH")
    assert "next: resyncctl cancel-all binance-main" in quiet("blocked")
    assert quiet("several").count("\n") == 2


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ticking() -> float:
    return 1.0


def test_progress_on_a_pipe_tells_a_step_once() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream=stream, now_s=ticking)
    for seconds in (45, 44, 43):
        progress.say("main", "proof", "proving", valid_reads=1, seconds_left=seconds)
    progress.say("main", "proof", "proving", valid_reads=2, seconds_left=20)
    progress.say(made.ESCAPES, "x", made.ESCAPES)
    progress.finish()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "valid reads 2" in lines[1]
    assert "\x1b" not in stream.getvalue()


def test_a_question_never_starts_in_the_middle_of_a_line() -> None:
    stream = Terminal()
    progress = LineProgress(stream=stream, now_s=ticking)
    progress.say("main", "list", "listing open orders")
    assert stream.getvalue().endswith("\n")
    progress.say("main", "proof", "proving", seconds_left=9)
    assert not stream.getvalue().endswith("\n")
    progress.say("main", "done", "done")
    assert stream.getvalue().endswith("done\n")


def test_progress_on_a_terminal_rewrites_a_repeated_step() -> None:
    stream = Terminal()
    progress = LineProgress(stream=stream, now_s=ticking)
    for seconds in (45, 44):
        progress.say("main", "proof", "proving", seconds_left=seconds)
    progress.say("main", "done", "done")
    progress.finish()
    assert stream.getvalue().count("\n") == 2
    assert "\r\x1b[K" in stream.getvalue()
    assert "seconds left 44" in stream.getvalue()


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_progress_survives_a_terminal_that_went_away() -> None:
    progress = LineProgress(stream=Gone(), now_s=ticking)
    progress.say("main", "proof", "proving")
    progress.finish()


def test_progress_as_json_lines() -> None:
    stream = io.StringIO()
    JsonProgress(Gone(), lambda: made.NOW_MS, "run").say("main", "proof", "proving", left=0.5)
    JsonProgress(stream, lambda: made.NOW_MS, "run").say("main", "proof", "proving", left=3)
    event = json.loads(stream.getvalue())
    assert event["event"] == "progress"
    assert event["at"] == "2026-11-21T09:31:07.123Z"
    assert event["numbers"] == {"left": 3}


def test_colour_follows_choice_stream_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colour(Terminal(), "auto")
    assert not wants_colour(io.StringIO(), "auto")
    assert wants_colour(io.StringIO(), "always")
    assert not wants_colour(Terminal(), "never")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not wants_colour(io.StringIO(), "auto")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal(), "auto")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal(), "auto")


def test_a_pipe_has_no_width() -> None:
    assert look_at(io.StringIO()).width is None
    assert look_at(Terminal()).width is not None


def test_coloured_output_carries_the_same_text() -> None:
    import re

    plain, coloured = io.StringIO(), io.StringIO()
    render(OUTCOMES["several"], plain, Look(width=80))
    render(OUTCOMES["several"], coloured, Look(width=80), colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured.getvalue()) == plain.getvalue()
    assert "\x1b[" in coloured.getvalue()
    assert "[red]not markup[/red]" in coloured.getvalue()
