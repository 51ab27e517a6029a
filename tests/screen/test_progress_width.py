"""A live progress line never wraps, because a wrapped line cannot be rewritten in place."""

import io
import itertools

import pytest

from resyncctl.screen.progress import LineProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_live_line_drops_whole_numbers_instead_of_wrapping() -> None:
    stream = Terminal()
    progress = LineProgress(stream, now_s=lambda: 0.0)
    progress.say(
        "main", "proof", "proving that the orders are gone", **{"n" * 70: 1, "seconds_left": 2}
    )
    assert stream.getvalue() == "   0.0s  main  proving that the orders are gone"


def test_a_pipe_gets_the_whole_line() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, now_s=lambda: 0.0)
    progress.say("main", "proof", "proving", **{"n" * 90: 1})
    assert "n" * 90 in stream.getvalue()


@pytest.mark.invariant("I35")
def test_without_a_terminal_a_long_wait_is_told_every_few_seconds() -> None:
    """I35: a step that only counts down is told again, so that nobody takes the tool for dead."""
    stream = io.StringIO()
    now = 0.0
    progress = LineProgress(stream=stream, now_s=lambda: now)
    for second in range(31):
        now = float(second)
        progress.say("main", "proof", "proving", seconds_left=31 - second)
    times = [float(line.split("s")[0]) for line in stream.getvalue().splitlines()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) <= 5
    assert len(times) < 10
