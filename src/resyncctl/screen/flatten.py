"""The screen of `flatten`: the plan before the question, and what became of every holding.

Promises: a fill is shown as a fill, only a proof shows as flat; what is left is named with its
quantity, value and reason. Called by `screen.render`, and by the command line before it asks.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from resyncctl.core.outcome import AccountOutcome
from resyncctl.screen.document import Block, Cell, Column, Line, Row, Table, cell, line, row, state
from resyncctl.screen.text import FAIL, NOTE, OK, UNKNOWN, WARN, Look, Mark, moment

_MARKS: Mapping[str, Mark] = {
    "flat": OK,
    "nothing_selected": WARN,
    "planned": NOTE,
    "dust": WARN,
    "blocked": FAIL,
    "residual": FAIL,
    "refused": FAIL,
    "unknown": UNKNOWN,
    "unproven": UNKNOWN,
}
_PLAN = (
    Column(heading="SYMBOL", shrink=True, least=13),
    Column(heading="LEG"),
    Column(heading="HELD", right=True),
    Column(heading="ORDER"),
    Column(heading="QUANTITY", right=True),
    Column(heading="WORTH", right=True),
    Column(heading="SLIP", right=True, optional=True),
    Column(heading="N", right=True, optional=True),
    Column(heading="STATE"),
)
_RESULT = (
    Column(heading="SYMBOL", shrink=True, least=13),
    Column(heading="LEG"),
    Column(heading="HELD", right=True),
    Column(heading="FILLED", right=True),
    Column(heading="LEFT", right=True),
    Column(heading="WORTH", right=True),
    Column(heading="SENT", right=True, optional=True),
    Column(heading="STATE"),
)


def draw(account: AccountOutcome, look: Look) -> Iterator[Block]:
    """Return the screen of one account."""
    rows = _rows(account.data.get("holdings"))
    planned = "spent" not in account.evidence
    yield line(
        Cell("flatten PLAN " if planned else "flatten ", "bold"),
        cell(account.account, "bold"),
        f"  {account.evidence.get('blast_radius', '')}",
    )
    make = _planned_row if planned else _result_row
    yield Table(_PLAN if planned else _RESULT, tuple(make(one, look) for one in rows))
    yield from _caps(account, look)
    yield from _told(account, look)
    if planned:
        yield from _plan_end(account, look)
    else:
        yield from _result_end(account, look)


def _planned_row(one: Mapping[str, object], look: Look) -> Row:
    word = str(one["state"])
    below = [line(str(one["why"]), indent=5)] if one["why"] else []
    if str(one["rest"]) != "0" and not one["why"]:
        below.append(
            line(
                f"{one['rest']} ({_worth(one['rest_value'], one['quote'])}) is smaller than the "
                "smallest order and stays",
                indent=5,
            )
        )
    return row(
        one["symbol"],
        one["leg"],
        one["holding"],
        one["side"],
        one["quantity"],
        _worth(one["value"], one["quote"]),
        _percent(one["slippage"]),
        one["slices"],
        state(look, _MARKS.get(word, UNKNOWN), word),
        below=below,
    )


def _result_row(one: Mapping[str, object], look: Look) -> Row:
    word = str(one["state"])
    why = str(one.get("why") or "")
    return row(
        one["symbol"],
        one["leg"],
        one["holding"],
        one.get("filled", "0"),
        "?" if one.get("left") is None else one["left"],
        _worth(one.get("left_value"), one.get("quote")),
        one.get("sent", 0),
        state(look, _MARKS.get(word, UNKNOWN), word),
        below=[line(why, indent=5)] if why else (),
    )


def _caps(account: AccountOutcome, look: Look) -> Iterator[Line]:
    evidence = account.evidence
    caps, spent = evidence.get("caps"), evidence.get("spent")
    if not isinstance(caps, Mapping):
        return
    parts = []
    for quote, cap in caps.items():
        used = spent.get(quote, "0") if isinstance(spent, Mapping) else None
        parts.append(f"{used} of {cap} {quote}" if used is not None else f"{cap} {quote}")
    if parts:
        slippage = _percent(evidence.get("slippage_max"))
        yield line(
            state(look, NOTE, "caps"), f"  {', '.join(parts)}; price at most {slippage} worse"
        )


def _told(account: AccountOutcome, look: Look) -> Iterator[Line]:
    """Say what stays at the exchange, what earlier runs left, and what did not work."""
    evidence = account.evidence
    orphaned = _list(evidence.get("orphaned_protective"))
    for words in _list(evidence.get("kept_protective")):
        if words not in orphaned:
            yield line(state(look, NOTE, "kept"), f"  protective order {words}")
    for words in orphaned:
        yield line(state(look, WARN, "orphaned"), f"  protective order {words} has no position")
    for words in _list(evidence.get("earlier_runs")):
        yield line(state(look, NOTE, "earlier"), f"  {words}")
    if evidence.get("unfinished_orders"):
        count = evidence["unfinished_orders"]
        yield line(state(look, WARN, "earlier"), f"  {count} orders of runs that broke off")
    for name in ("gate_trouble", "clock_trouble", "record_trouble"):
        if evidence.get(name):
            yield line(state(look, WARN, name.removesuffix("_trouble")), f"  {evidence[name]}")
    for words in _list(evidence.get("unreadable")):
        yield line(state(look, UNKNOWN, "not known"), f"  {words}")


def _plan_end(account: AccountOutcome, look: Look) -> Iterator[Line]:
    evidence = account.evidence
    until = evidence.get("valid_until_ms")
    words = f"  digest {str(evidence.get('plan_digest', '?'))[:16]}"
    if isinstance(until, int):
        words += f", valid until {moment(until)}"
    yield line(state(look, NOTE, "plan"), words)
    if evidence.get("plan_refused"):
        yield line(state(look, WARN, "not written"), f"  {evidence['plan_refused']}")
    if evidence.get("plan_file"):
        yield line(state(look, NOTE, "written"), f"  {evidence['plan_file']}")
        yield line(Cell("next: ", "bold"), str(account.next_step))


def _result_end(account: AccountOutcome, look: Look) -> Iterator[Line]:
    evidence = account.evidence
    # What is wrong with a holding stands in its row already.
    holdings = tuple(
        f"{one['symbol']} {one['leg']}: " for one in _rows(account.data.get("holdings"))
    )
    missing = [
        words for words in _list(evidence.get("not_proved")) if not words.startswith(holdings)
    ]
    if account.status == "flat":
        seconds = account.timings.get("proof_ms", 0) // 1000
        yield line(
            state(look, OK, "proved"),
            f"  {evidence.get('proof_reads', '?')} readings, the last {seconds} s after the "
            "last order could land; orders gone: ",
            str(evidence.get("cancel", "?")).replace("_", " "),
        )
    elif missing:
        yield line(state(look, UNKNOWN, "not proved"))
    for words in missing:
        yield line(words, indent=5)
    if account.status == "nothing_selected":
        yield line(state(look, WARN, "nothing"), "  no holding matched it: is it spelt right?")
    if evidence.get("engine"):
        yield line(state(look, NOTE, "engine"), f"  {evidence['engine']}")
    counts = account.counts
    yield line(
        "orders: ",
        f"cancel requests {counts.get('cancel_requests', 0)}  "
        f"reducing {counts.get('reducing_orders', 0)}  "
        f"without an answer {counts.get('answered_unknown', 0)}  "
        f"refused {counts.get('answered_rejected', 0)}",
    )
    word = account.status.replace("_", " ").upper()
    yield line("result ", state(look, _MARKS.get(account.status, UNKNOWN), word))
    orphaned = _list(evidence.get("orphaned_protective"))
    if account.status == "flat" and orphaned and account.next_step:
        yield line(Cell("next: ", "bold"), account.next_step)


def _rows(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list | tuple):
        return []
    return [one for one in value if isinstance(one, Mapping)]


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _worth(value: object, quote: object) -> str:
    return "?" if value is None else f"{value} {quote or ''}".rstrip()


def _percent(ratio: object) -> str:
    if not isinstance(ratio, str):
        return "?"
    return f"{Decimal(ratio) * 100:.2f} %"
