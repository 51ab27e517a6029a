"""The board: the gate of every account, unfinished runs first, and what to type next.

Called by `screen.render` for `resyncctl status` and for bare `resyncctl`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from resyncctl import __version__
from resyncctl.core.outcome import AccountOutcome, Outcome
from resyncctl.screen.document import Block, Cell, Column, Line, Row, Table, line, row, state
from resyncctl.screen.text import FAIL, NOTE, UNKNOWN, WARN, Look, mark_of, moment, span

_COLUMNS = (
    Column(heading="ACCOUNT", shrink=True, least=10),
    Column(heading="MODE"),
    Column(heading="GATE"),
    Column(heading="FOR", right=True),
    Column(heading="LAST VERDICT"),
    Column(heading="AGE", right=True),
    Column(heading="HELD BY", shrink=True, least=8, optional=True),
)


def draw(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return the board."""
    yield line(
        Cell("resyncctl status", "bold"), f"  {moment(outcome.finished_at_ms)}  v{__version__}"
    )
    yield from _unfinished(outcome, look)
    if outcome.accounts:
        now_ms = outcome.finished_at_ms
        yield Table(_COLUMNS, tuple(_row(one, now_ms, look) for one in outcome.accounts))
    else:
        yield line("no account is configured")
    for account in outcome.accounts:
        yield from _incident(account, outcome.finished_at_ms, look)
        yield from _validity(account, outcome.finished_at_ms, look)
        yield from _remarks(account, look)


def _incident(account: AccountOutcome, now_ms: int, look: Look) -> Iterator[Line]:
    one = _mapping(account.data.get("incident"))
    if one:
        lasts = span(now_ms - int(one.get("opened_ms", now_ms)))
        reason = str(one.get("reason", ""))
        if reason == _mapping(account.data.get("gate")).get("reason"):
            reason = ""  # it stands right below
        yield line(
            state(look, FAIL, "INCIDENT"),
            f"  {account.account} for {lasts}" + (f": {reason}" if reason else ""),
        )
        yield line(f"resyncctl incident show {one.get('id')}", indent=5)


def _validity(account: AccountOutcome, now_ms: int, look: Look) -> Iterator[Line]:
    """Say how long the safety verdict is still good, where a gate might open on it."""
    gate, safety = (_mapping(account.data.get(name)) for name in ("gate", "last_safety"))
    until_ms = safety.get("valid_until_ms")
    if gate.get("state") == "RUNNING" or safety.get("verdict") != "clean":
        return
    if isinstance(until_ms, int):
        left_ms = until_ms - now_ms
        words = f"valid for {span(left_ms)}" if left_ms > 0 else "expired: verify again"
        yield line(state(look, NOTE, account.account), f": its safety verdict is {words}", indent=2)


def _unfinished(outcome: Outcome, look: Look) -> Iterator[Line]:
    for account in outcome.accounts:
        runs = account.data.get("unfinished_runs")
        for run in runs if isinstance(runs, list) else []:
            yield line(
                state(look, FAIL, "UNFINISHED"),
                f"  run {run.get('run_id')} on {account.account}: {run.get('command')}, "
                f"{run.get('reason')}",
            )


def _row(account: AccountOutcome, now_ms: int, look: Look) -> Row:
    data = account.data
    gate = _mapping(data.get("gate"))
    word = str(gate.get("state", "UNSAFE"))
    since = gate.get("since_ms")
    last = _mapping(data.get("last_reconcile"))
    if last:
        verdict = str(last.get("verdict", "unknown"))
        if last.get("kind") == "safety" and verdict == "clean":
            verdict = "safe"
        judged = state(look, mark_of(verdict), verdict)
        age = span(now_ms - int(last["as_of_ms"])) if "as_of_ms" in last else "?"
    else:
        judged, age = state(look, UNKNOWN, "never"), "-"
    return row(
        account.account,
        str(data.get("mode", "?")).upper(),
        state(look, mark_of(word), word),
        span(now_ms - since) if isinstance(since, int) else "?",
        judged,
        age,
        str(data.get("held_by") or "-"),
    )


def _remarks(account: AccountOutcome, look: Look) -> Iterator[Line]:
    gate = _mapping(account.data.get("gate"))
    if gate.get("reason"):
        yield line(f"{account.account}: {gate['reason']}", indent=2)
    for words in account.data.get("remarks") or ():  # type: ignore[attr-defined]  # a list, by the command
        yield line(state(look, WARN, account.account), f": {words}", indent=2)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
