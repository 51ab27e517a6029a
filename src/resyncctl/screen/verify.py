"""The screens of `verify` and `resync`: every condition of SAFE with its evidence and its age.

Promises: a condition that is not known is never shown like one that fails, and neither like one
that holds; what is missing comes before what is fine. Called by `screen.render`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from resyncctl.core.outcome import AccountOutcome
from resyncctl.screen.document import Block, Cell, Line, cell, line, state
from resyncctl.screen.text import FAIL, NOTE, OK, UNKNOWN, WARN, Look, mark_of, span

_AGE_SHOWN_MS = 1_000
_WORDS: Mapping[str, str] = {
    "safe": "SAFE",
    "discrepant": "NOT SAFE",
    "residual": "NOT SAFE: orders rest, or are not proved gone",
    "unknown": "NOT KNOWN to be safe",
    "blocked": "BLOCKED: the engine may trade",
    "refused": "REFUSED",
    "resumed": "RESUMED, and the watch saw no trouble",
    "resumed_unwatched": "RESUMED; nobody watches any more",
    "closed_again": "CLOSED AGAIN by the watch",
    "closed_elsewhere": "the gate was closed by somebody else meanwhile",
}


def draw_verify(account: AccountOutcome, look: Look) -> Iterator[Block]:
    """Return the screen of `verify`."""
    yield line(Cell("verify ", "bold"), cell(account.account, "bold"))
    yield from _conditions(account, look)
    yield from _trouble(account, look)
    if account.evidence.get("nobody_watches") and account.status == "resumed":
        yield line(state(look, NOTE, "watch"), "  none was asked for; nobody watches")
    yield _result(account, look)


def draw_resync(account: AccountOutcome, look: Look) -> Iterator[Block]:
    """Return the screen of `resync`."""
    evidence = account.evidence
    yield line(
        Cell("resync ", "bold"), cell(account.account, "bold"), f"  {evidence.get('reason', '')}"
    )
    yield from _cancelled(account, look)
    yield from _conditions(account, look)
    yield from _trouble(account, look)
    if evidence.get("escalated"):
        yield line(state(look, FAIL, "escalated"), f"  call somebody: {evidence['escalated']}")
    yield _result(account, look)


def _cancelled(account: AccountOutcome, look: Look) -> Iterator[Line]:
    evidence, counts = account.evidence, account.counts
    if "orders_before" not in counts:
        return
    if evidence.get("cancel_skipped"):
        yield line(state(look, WARN, "cancel skipped"), "  all four conditions held:")
    elif evidence.get("skip_conditions"):
        yield line(state(look, NOTE, "cancelled"), "  leaving it out was not allowed:")
    for one in _rows(evidence.get("skip_conditions")):
        yield _condition(one, account, look)
    yield line(
        f"orders  before {counts.get('orders_before')}  after {counts.get('orders_after')}  "
        f"requests {counts.get('requests', 0)}  attempts {counts.get('attempts', 0)}"
    )
    unsafe_ms = account.timings.get("unsafe_ms")
    yield line(f"unsafe for {span(unsafe_ms)}, gate now ", str(evidence.get("gate", "?")))


def _conditions(account: AccountOutcome, look: Look) -> Iterator[Line]:
    lines = _rows(account.evidence.get("conditions"))
    for one in sorted(lines, key=_rank):
        yield _condition(one, account, look)


def _rank(one: Mapping[str, Any]) -> int:
    """What is missing comes first: not known, then failing, then what holds."""
    if not one.get("known", True):
        return 0
    return 2 if one.get("holds") else 1


def _condition(one: Mapping[str, Any], account: AccountOutcome, look: Look) -> Line:
    if not one.get("known", True):
        mark, word = UNKNOWN, "not known"
    elif one.get("holds"):
        mark, word = OK, "holds"
    else:
        mark, word = FAIL, "fails"
    as_of_ms, now_ms = one.get("as_of_ms"), account.evidence.get("as_of_ms")
    age = ""
    if isinstance(as_of_ms, int) and isinstance(now_ms, int) and now_ms - as_of_ms >= _AGE_SHOWN_MS:
        age = f"  ({span(now_ms - as_of_ms)} before)"
    return line(
        state(look, mark, f"{word:<9}"), f"  {one.get('name', '')}: {one.get('evidence', '')}{age}"
    )


def _trouble(account: AccountOutcome, look: Look) -> Iterator[Line]:
    told = {
        f"{one.get('name')}: {one.get('evidence')}"
        for one in _rows(account.evidence.get("conditions"))
    }
    missing = _list(account.evidence.get("missing"))
    for words in dict.fromkeys((*missing, *_list(account.evidence.get("trouble")))):
        if words not in told:
            yield line(state(look, WARN, "trouble"), f"  {words}")


def _result(account: AccountOutcome, look: Look) -> Line:
    if account.error is not None:
        return line(state(look, FAIL, "failed"), f"  {account.error.message}")
    word = _WORDS.get(account.status, account.status.upper())
    valid_ms, as_of_ms = (account.evidence.get(name) for name in ("valid_until_ms", "as_of_ms"))
    tail = ""
    if account.status == "safe" and isinstance(valid_ms, int) and isinstance(as_of_ms, int):
        tail = f"  valid for {span(valid_ms - as_of_ms)}; then verify again"
    return line("result ", state(look, mark_of(account.status), word), tail)


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []
