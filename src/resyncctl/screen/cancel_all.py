"""The screen of `cancel-all`: what was there, what was sent, what is proved gone and what is not.

Promises: an acknowledgement is shown as an acknowledgement; only a proof shows as gone. Called by
`screen.render`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.screen.document import Block, Cell, Column, Line, Row, Table, cell, line, row, state
from resyncctl.screen.text import FAIL, NOTE, OK, UNKNOWN, WARN, Look, mark_of, plural

_COLUMNS = (
    Column(heading="SYMBOL", shrink=True, least=10),
    Column(heading="SCOPE", shrink=True, least=8),
    Column(heading="BEFORE", right=True),
    Column(heading="SENT", right=True),
    Column(heading="ACK", right=True),
    Column(heading="GONE", right=True),
    Column(heading="LEFT", right=True),
    Column(heading="STATE"),
)


@dataclass(slots=True)
class _Group:
    """The attempts on one symbol of one scope."""

    before: int = 0
    sent: int = 0
    acknowledged: int = 0
    gone: int = 0
    left: int = 0
    unproven: int = 0
    planned: int = 0
    reason: str = ""

    def add(self, action: ActionRecord) -> None:
        self.before += action.orders
        self.sent += action.attempts
        self.acknowledged += action.orders if action.outcome == "ACKNOWLEDGED" else 0
        self.gone += action.orders if action.state == "gone" else 0
        self.left += action.orders if action.state == "left" else 0
        self.unproven += action.orders if action.state == "unproven" else 0
        self.planned += action.orders if action.state == "planned" else 0
        if action.state != "gone":
            # What became of an order that is proved gone needs no explanation.
            self.reason = self.reason or action.reason

    def state(self) -> str:
        """Return the worst state of the group in one word."""
        if self.left:
            return "left"
        if self.unproven:
            return "unproven"
        return "planned" if self.planned else "gone" if self.before else "asked"


def draw(account: AccountOutcome, look: Look) -> Iterator[Block]:
    """Return the screen of one account."""
    dry = account.status == "planned" or any(a.state == "planned" for a in account.actions)
    title = "cancel-all PLAN " if dry else "cancel-all "
    yield line(Cell(title, "bold"), cell(account.account, "bold"), _where(account))
    groups: dict[tuple[str, str], _Group] = {}
    for action in account.actions:
        if action.verb != "gate_move":
            key = (action.symbol or "(all symbols)", action.scope or "")
            groups.setdefault(key, _Group()).add(action)
        else:
            yield line("gate ", action.outcome or "not moved")
    yield Table(_COLUMNS, tuple(_row(key, group, look) for key, group in groups.items()))
    yield from _proof(account, look)
    yield from _counts(account)
    yield _total(account, dry=dry, look=look)
    if dry and account.error is None and account.next_step:
        yield line("to send exactly this: ", account.next_step)


def _where(account: AccountOutcome) -> str:
    words = account.evidence.get("blast_radius")
    return f"  {words}" if isinstance(words, str) else ""


def _row(key: tuple[str, str], group: _Group, look: Look) -> Row:
    symbol, scope = key
    word = group.state()
    unknown = "?" if group.unproven and not group.left else str(group.left)
    mark = NOTE if word in {"planned", "asked"} else mark_of(word)
    return row(
        symbol,
        scope,
        str(group.before),
        str(group.sent),
        str(group.acknowledged),
        str(group.gone),
        unknown,
        state(look, mark, word),
        below=[line(group.reason, indent=5)] if group.reason else (),
    )


def _proof(account: AccountOutcome, look: Look) -> Iterator[Line]:
    """Say what is proved, what is missing from the proof, and what else must be known."""
    evidence = account.evidence
    missing = _list(evidence.get("not_proved"))
    yield from _selection(account, look)
    if account.status in {"proved_empty", "nothing_selected"}:
        yield line(
            state(look, OK, "proved"),
            f"  {evidence.get('proof_reads', '?')} clean readings of every scope, the last begun "
            f"{_seconds(account.timings.get('proof_ms'))} s after the last request could land",
        )
    elif missing:
        yield line(state(look, UNKNOWN, "not proved"))
    for words in missing:
        yield line(words, indent=5)
    for words in _list(evidence.get("unsettled")) + _list(evidence.get("unreadable")):
        yield line(state(look, UNKNOWN, "not known"), f"  {words}")
    for words in _list(evidence.get("filled_meanwhile")):
        yield line(state(look, WARN, "filled"), f"  {words}")
    for words in _list(evidence.get("kept_protective")):
        yield line(state(look, NOTE, "kept"), f"  protective order {words}")
    for name in ("gate_trouble", "clock_trouble"):
        if evidence.get(name):
            yield line(state(look, WARN, name.removesuffix("_trouble")), f"  {evidence[name]}")
    if evidence.get("engine"):
        yield line(state(look, NOTE, "engine"), f"  {evidence['engine']}")


def _selection(account: AccountOutcome, look: Look) -> Iterator[Line]:
    """Name a selection that is not everything: what rests outside of it was not touched."""
    words = account.evidence.get("selection", "everything")
    if words == "everything":
        return
    outside = account.evidence.get("outside_selection", 0)
    yield line(state(look, NOTE, "only"), f"  {words}; {outside} other orders were left alone")
    if account.status == "nothing_selected":
        yield line(state(look, WARN, "nothing"), "  no order matched it: is it spelt right?")


_COUNTS = (
    ("before", True),
    ("requests", True),
    ("waves", True),
    ("gone", True),
    ("filled_meanwhile", False),
    ("reappeared", False),
    ("left", False),
    ("unproven", False),
    ("kept_protective", False),
)
"""The numbers of the summary, and whether a zero is worth a word."""


def _counts(account: AccountOutcome) -> Iterator[Line]:
    parts = [
        f"{name.replace('_', ' ')} {account.counts[name]}"
        for name, always in _COUNTS
        if name in account.counts and (always or account.counts[name])
    ]
    if parts:
        yield line("orders: ", "  ".join(parts))


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _seconds(value: object) -> str:
    return f"{value / 1000:.0f}" if isinstance(value, int) else "?"


def _total(account: AccountOutcome, *, dry: bool, look: Look) -> Line:
    if account.error is not None:
        return line(state(look, FAIL, "failed"), f"  {account.error.message}")
    orders = sum(action.orders for action in account.actions if action.verb != "gate_move")
    if dry:
        digest = account.evidence.get("plan_digest", "?")
        return line(
            state(look, NOTE, "planned"),
            f"  {plural(orders, 'order')}; nothing was sent; plan digest {digest}",
        )
    word = account.status.replace("_", " ")
    return line("result ", state(look, mark_of(account.status), word.upper()))
