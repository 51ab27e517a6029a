"""The screen of a run that is watched: at 80 columns, harmless, and true about a run that died."""

from collections.abc import Mapping

import pytest

from resyncctl.core.run_view import RunView, advance
from resyncctl.screen.terminal import as_text
from resyncctl.screen.text import Look
from resyncctl.screen.watch import draw, end_words, event_words

AT_MS = 1_795_000_000_000
RUN = "20261121T103000Z-cancel-all-7f3k"


def view_of(*records: tuple[str, int, Mapping[str, object]]) -> RunView:
    view = RunView(run_id=RUN, account="main")
    for event, after_ms, details in records:
        view = advance(view, event, AT_MS + after_ms, details)
    return view


BEGAN = ("began", 0, {"command": "cancel-all", "user": "ada", "host": "desk", "pid": 7})
STARTED = ("cancel_all_started", 100, {"account": "main", "reason": "lost the stream"})


def intent(number: int, account: str = "main") -> tuple[str, int, dict[str, object]]:
    details = {"account": account, "symbol": "BTC/USDT"}
    return (
        "intent",
        200,
        {
            "intent_id": f"{RUN}:{number}",
            "action": "cancel_symbol",
            "deadline_ms": AT_MS + 5_200 + number,
            "details": details,
        },
    )


def answer(number: int, kind: str) -> tuple[str, int, dict[str, object]]:
    return ("outcome", 300, {"intent_id": f"{RUN}:{number}", "kind": kind})


def shown(view: RunView, now_ms: int, *, alive: bool = True) -> str:
    return as_text(tuple(draw(view, now_ms, alive=alive, look=Look(80))), Look(80))


def test_a_running_run_shows_stage_requests_and_deadline() -> None:
    numbers: dict[str, object] = {"reads": "1/3", "seconds_left": 30}
    step = {"account": "main", "stage": "proof", "text": "proving", "numbers": numbers}
    view = view_of(
        BEGAN, STARTED, intent(4), intent(5), answer(4, "ACKNOWLEDGED"), ("progress", 900, step)
    )
    text = shown(view, AT_MS + 1_000)
    for words in (
        "cancel-all main",
        "of ada on desk, process 7",
        "because: lost the stream",
        "running  1.0s",
        "proof: proving  reads 1/3  seconds left 30",
        "requests 2: 1 acknowledged, 1 without an answer yet",
        "can still take effect for 4.2s",
    ):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "passed 1.0s ago" in shown(view, AT_MS + 6_205)


def test_a_silent_run_is_said_to_be_silent_and_a_dead_one_dead() -> None:
    view = view_of(BEGAN, intent(4))
    assert "silent" not in shown(view, AT_MS + 15_000)
    assert "silent" in shown(view, AT_MS + 15_201)
    assert "died  without coming to its end" in shown(view, AT_MS + 400, alive=False)
    assert end_words(view).endswith("1 of its requests have no known outcome")


@pytest.mark.parametrize(("code", "name"), [(0, "OK"), (13, "RESIDUAL")])
def test_the_end_is_shown_with_what_the_run_says_of_the_account(code: int, name: str) -> None:
    view = view_of(
        BEGAN,
        ("cancel_all_ended", 500, {"account": "main", "status": "proved_empty"}),
        ("ended", 600, {"exit_code": code, "status": name}),
    )
    text = shown(view, AT_MS + 700, alive=False)
    assert f"ended  {code} {name}" in text
    assert "it says of the account: proved_empty" in text
    assert "died" not in text


def test_records_of_another_account_are_only_a_sign_of_life() -> None:
    other = {"account": "other", "stage": "proof", "text": "proving", "numbers": {}}
    view = view_of(BEGAN, intent(4, "other"), answer(4, "UNKNOWN"), ("progress", 700, other))
    assert not view.intents
    assert not view.stage
    assert view.last_ms == AT_MS + 700
    assert "no request was sent so far" in shown(view, AT_MS + 1_000)


def test_an_answer_of_no_known_kind_counts_as_unknown() -> None:
    view = view_of(intent(4), answer(4, "SPLENDID"))
    assert view.answers == {"UNKNOWN": 1}
    assert view.unanswered == 0


def test_text_from_outside_cannot_move_the_cursor() -> None:
    step = {"account": "main", "stage": "x", "text": "a\x1b[2Jb[red]", "numbers": {"n": "\x07"}}
    text = shown(view_of(("progress", 1, step)), AT_MS + 10)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]" in text


@pytest.mark.parametrize(
    ("event", "details", "words"),
    [
        ("intent", {"action": "cancel_symbol", "details": {"symbol": "X"}}, "cancel_symbol X"),
        ("outcome", {"kind": "UNKNOWN", "message": "timed out"}, "UNKNOWN timed out"),
        ("taken_over", {"from": "run A", "reason": "asleep"}, "taken over: run A, asleep"),
        ("ended", {"exit_code": 13, "status": "RESIDUAL"}, "13 RESIDUAL"),
        ("flatten_ended", {"status": "flat"}, "flat"),
    ],
)
def test_every_event_that_matters_is_one_line(
    event: str, details: dict[str, object], words: str
) -> None:
    assert words in (event_words(event, details) or "")
    assert event_words("plan", {}) is None
