"""Another terminal's run, as it goes: what it does now, what it sent, and how it ended.

Values in, text out. Called by the command line's `watch`, which hands in what the journal said.
"""

from collections.abc import Iterator, Mapping

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.run_view import RunView
from resyncctl.screen.document import Block, Cell, Line, line, state
from resyncctl.screen.text import FAIL, OK, UNKNOWN, WARN, Look, clock, span

QUIET_MS = 15_000
"""After so long without a record a living run is said to be silent: it may hang or be stopped."""


def draw(view: RunView, now_ms: int, *, alive: bool, look: Look) -> Iterator[Block]:
    """Return the screen: the same at every refresh, so that the eye finds its place."""
    yield line(Cell(f"{view.command or 'a run'} {view.account}", "bold"), f"  {clock(now_ms)}")
    yield line(f"run {view.run_id}", indent=2)
    if view.who:
        yield line(f"of {view.who}", indent=2)
    if view.reason:
        yield line(f"because: {view.reason}", indent=2)
    if view.taken_from:
        yield line(f"took the account over from run {view.taken_from}", indent=2)
    yield _standing(view, now_ms, alive, look)
    if view.exit_code is None and view.stage:
        yield line(f"{view.stage}: {view.text}{_numbers(view.numbers)}", indent=2)
    yield line(_requests(view), indent=2)
    deadline_ms = view.last_deadline_ms
    if deadline_ms is not None and view.exit_code is None:
        yield line(_deadline(deadline_ms - now_ms), indent=2)
    if view.status:
        yield line(f"it says of the account: {view.status}", indent=2)


def event_words(event: str, details: Mapping[str, object]) -> str | None:
    """Return one record as one line, None for records that tell a watcher nothing."""
    match event:
        case "began":
            return f"{details.get('command')} began, of {details.get('user')}"
        case "progress":
            numbers = details.get("numbers")
            told = _numbers(numbers if isinstance(numbers, Mapping) else {})
            return f"{details.get('stage')}: {details.get('text')}{told}"
        case "intent":
            inner = details.get("details")
            symbol = inner.get("symbol", "") if isinstance(inner, Mapping) else ""
            return f"intent: {details.get('action')} {symbol}".rstrip()
        case "outcome":
            return f"answer: {details.get('kind')} {details.get('message') or ''}".rstrip()
        case "taken_over" | "take_over_asked":
            return f"{event.replace('_', ' ')}: {details.get('from')}, {details.get('reason')}"
        case "ended":
            return f"the run ended with {details.get('exit_code')} {details.get('status')}"
    if event.endswith("_ended"):
        return f"it says of the account: {details.get('status')}"
    return None


def end_words(view: RunView) -> str:
    """Return how the run that was watched ended, in one sentence."""
    if view.exit_code is None:
        return (
            f"run {view.run_id} died without coming to its end; "
            f"{view.unanswered} of its requests have no known outcome"
        )
    return f"run {view.run_id} ended with {view.exit_code} {view.exit_name}".rstrip()


def _standing(view: RunView, now_ms: int, alive: bool, look: Look) -> Block:
    if view.exit_code is not None:
        mark = OK if view.exit_code == 0 else FAIL
        return line(state(look, mark, "ended"), f"  {view.exit_code} {view.exit_name}", indent=2)
    since = span(now_ms - view.began_ms) if view.began_ms is not None else "?"
    if not alive:
        words = "  without coming to its end; run the same command again to finish"
        return line(state(look, FAIL, "died"), words, indent=2)
    silent_ms = now_ms - view.last_ms if view.last_ms is not None else None
    if silent_ms is None or silent_ms > QUIET_MS:
        told = f"  {since}; no sign for {span(silent_ms)}: it waits for its operator, or is stopped"
        return line(state(look, WARN, "silent"), told, indent=2)
    return line(state(look, UNKNOWN, "running"), f"  {since}", indent=2)


def _requests(view: RunView) -> str:
    if not view.intents:
        return "no request was sent so far"
    told = ", ".join(f"{number} {kind.lower()}" for kind, number in sorted(view.answers.items()))
    words = f"requests {len(view.intents)}"
    if told:
        words += f": {told}"
    return f"{words}, {view.unanswered} without an answer yet" if view.unanswered else words


def _deadline(left_ms: int) -> str:
    if left_ms > 0:
        return f"its last request can still take effect for {span(left_ms)}"
    return f"the deadline of its last request passed {span(-left_ms)} ago"


def _numbers(numbers: Mapping[str, object]) -> str:
    return "".join(f"  {name.replace('_', ' ')} {value}" for name, value in numbers.items())


def draw_end(account: AccountOutcome, look: Look) -> Iterator[Line]:
    """Return the end of a watch: how the run ended, or that there is none."""
    words = account.data.get("words")
    if not isinstance(words, str):
        yield line(f"{account.account}: no run holds the account")
        return
    mark = OK if account.exit_code is ExitCode.OK else FAIL
    yield line(state(look, mark, account.status), f"  {words}")
