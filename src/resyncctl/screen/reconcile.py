"""The report of `reconcile`: every finding in full, then what was seen and what was not.

Promises: both sides' values are printed digit by digit one above the other, findings come in the
order of the outcome (worst first), an unknown section is listed by name. Called by
`screen.render`.
"""

from collections.abc import Iterator, Mapping

from resyncctl.core.discrepancy import Discrepancy, Severity, Subject, Value, Verdict
from resyncctl.core.outcome import AccountOutcome, SectionReport
from resyncctl.screen.document import Block, Cell, Line, cell, line, state
from resyncctl.screen.text import (
    FAIL,
    NOTE,
    OK,
    UNKNOWN,
    WARN,
    Look,
    Mark,
    clock,
    mark_of,
    moment,
    number,
    plural,
    shorten,
)

_SEVERITY: Mapping[Severity, Mark] = {
    Severity.INFO: NOTE,
    Severity.MINOR: WARN,
    Severity.MAJOR: FAIL,
    Severity.CRITICAL: FAIL,
}
_ID_WIDTH = 24
_INDENT = 5


def draw(account: AccountOutcome, look: Look) -> Iterator[Block]:
    """Return the report of one account."""
    yield _head(account)
    for position, finding in enumerate(account.findings, start=1):
        yield from _finding(position, finding, look)
    yield from _explained(account, look)
    yield from _unseen(account.sections, look)
    yield from _repair(account, look)
    yield from _counts(account)
    yield verdict_line(account, look)


def _head(account: AccountOutcome) -> Line:
    evidence = account.evidence
    parts: list[Cell | str] = [Cell("reconcile ", "bold"), cell(account.account, "bold")]
    parts.append(f"  as of {moment(_whole(evidence.get('as_of_ms')))}")
    engine_ms = _whole(evidence.get("engine_as_of_ms"))
    if engine_ms:
        parts.append(f"  engine's belief of {clock(engine_ms)}")
    sequence = evidence.get("engine_sequence")
    if sequence is not None:
        parts.append(f" (generation {sequence})")
    return line(*parts)


def _finding(position: int, finding: Discrepancy, look: Look) -> Iterator[Line]:
    mark = _SEVERITY[finding.severity]
    yield line(
        f"{position:>3}  ",
        state(look, mark, f"{finding.severity.value:<8}"),
        "  ",
        Cell(finding.kind.value, "bold"),
        "  ",
        subject(finding.subject, look),
    )
    yield from _values(finding)
    if finding.detail:
        yield line(finding.detail, indent=_INDENT)
    if finding.explained_by:
        yield line("explained by ", ", ".join(finding.explained_by), indent=_INDENT)
    if finding.unexplained is not None:
        yield line(f"unexplained {number(finding.unexplained)}", indent=_INDENT)
    if finding.remedy:
        yield line("do: ", finding.remedy, indent=_INDENT)


def subject(about: Subject, look: Look) -> str:
    """Return what a finding is about; identifiers are shortened in the middle where it is tight."""
    parts = [about.product, about.symbol, about.asset, about.leg]
    words = [part for part in parts if part]
    names = (
        ("order", about.venue_order_id),
        ("client", about.client_order_id),
        ("trade", about.trade_id),
    )
    for word, identity in names:
        if identity:
            shown = identity if look.width is None else _short(identity, look)
            words.append(f"{word} {shown}")
    return " ".join(words) or about.account


def _short(identity: str, look: Look) -> str:
    return shorten(identity, _ID_WIDTH, unicode=look.unicode)


def _values(finding: Discrepancy) -> Iterator[Line]:
    """Show one line per field and side, the digits of both sides under one another."""
    engine, venue = finding.engine, finding.venue
    if engine is None and venue is None:
        return
    if engine is None or venue is None:
        side, values = ("exchange", venue) if engine is None else ("engine", engine)
        other = "engine" if engine is None else "exchange"
        yield line(f"{side:<8}  {_listed(values or {})}", indent=_INDENT)
        yield line(f"{other:<8}  -", indent=_INDENT)
        return
    names = list(dict.fromkeys([*engine, *venue]))
    same = [name for name in names if name in engine and engine[name] == venue.get(name)]
    for name in (name for name in names if name not in same):
        yield from _two_sides(name, engine.get(name), venue.get(name), (finding.delta or {}))
    if same:
        yield line(f"both      {_listed({name: engine[name] for name in same})}", indent=_INDENT)


def _two_sides(
    name: str, engine: Value, venue: Value, delta: Mapping[str, Value]
) -> Iterator[Line]:
    left, right = _shown(name, engine), _shown(name, venue)
    point = max(_before_point(left), _before_point(right))
    difference = f"  delta {number(delta[name])}" if delta.get(name) is not None else ""
    word = name.removesuffix("_ms")
    yield line(f"engine    {word} {_indented(left, point)}", indent=_INDENT)
    yield line(f"exchange  {word} {_indented(right, point)}{difference}", indent=_INDENT)


def _before_point(text: str) -> int:
    """Return how many characters of a number stand before its point; 0 for words."""
    whole = text.partition(".")[0]
    return len(whole) if whole.lstrip("-").isdigit() else 0


def _indented(text: str, point: int) -> str:
    """Move a number so that its point stands under the other side's."""
    before = _before_point(text)
    return " " * (point - before) + text if before else text


def _shown(name: str, value: Value) -> str:
    """Return a value as an operator reads it: points in time are told, not counted."""
    if name.endswith("_ms") and isinstance(value, int) and value >= _YEAR_2001_MS:
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value)


_YEAR_2001_MS = 1_000_000_000_000
"""Smaller numbers of milliseconds are durations."""


def _listed(values: Mapping[str, Value]) -> str:
    """Return the values on one line; what is merely "no" is left out."""
    return ", ".join(
        f"{name.removesuffix('_ms')} {_shown(name, value)}"
        for name, value in values.items()
        if value is not None and value is not False
    )


def _explained(account: AccountOutcome, look: Look) -> Iterator[Line]:
    entries = account.data.get("explained")
    if not isinstance(entries, list) or not entries:
        return
    yield line(f"explained differences: {len(entries)}")
    for entry in entries:
        about = Subject(**entry["subject"])
        yield line(
            f"{entry['what']} {subject(about, look)}: {entry['delta']} by ",
            ", ".join(entry["explained_by"]),
            indent=_INDENT,
        )


def _unseen(sections: tuple[SectionReport, ...], look: Look) -> Iterator[Line]:
    unseen = [report for report in sections if not report.known or not report.complete]
    for report in unseen:
        word = "not read" if not report.known else "not complete"
        yield line(
            state(look, UNKNOWN, word),
            f"  {report.side} {report.section} {report.scope}: {report.reason or 'no reason told'}",
        )


def _repair(account: AccountOutcome, look: Look) -> Iterator[Line]:
    repaired = account.data.get("repaired")
    if isinstance(repaired, Mapping):
        before = account.data.get("found_before_repair")
        count = len(before) if isinstance(before, list) else 0
        yield line(
            state(look, OK, "repaired"),
            f"  {plural(int(str(repaired.get('events', 0))), 'event')} written into the checkpoint;"
            f" {plural(count, 'finding')} before, {len(account.findings)} after",
        )


def _counts(account: AccountOutcome) -> Iterator[Line]:
    """Return how much was compared and matched, e.g. `orders 11/12  fills 412/413`."""
    numbers = account.counts
    parts = [
        f"{name} {numbers.get(f'{name}_matched', '?')}/{_larger(numbers, name)}"
        for name in ("orders", "fills", "positions", "balances")
    ]
    parts.append(f"stale {numbers.get('stale_orders', '?')}")
    if numbers.get("rows_set_aside"):
        parts.append(f"set aside {numbers['rows_set_aside']}")
    if numbers:
        yield line("matched: ", "  ".join(parts))


def _larger(numbers: Mapping[str, int | str], name: str) -> int | str:
    """Return how many of a subject either side has."""
    sides = [numbers.get(f"{name}_{side}") for side in ("engine", "venue", "compared")]
    known = [number for number in sides if isinstance(number, int)]
    return max(known) if known else "?"


def verdict_line(account: AccountOutcome, look: Look) -> Line:
    """Return the verdict as the last line of an account's report."""
    if account.error is not None:
        return line(state(look, FAIL, "failed"), f"  {account.error.message}")
    word = account.verdict.value if account.verdict else account.status
    blocking = sum(finding.blocks_resume for finding in account.findings)
    found = plural(len(account.findings), "finding")
    tail = {
        Verdict.CLEAN: "nothing differs, and everything was visible",
        Verdict.DISCREPANT: f"{found}, {blocking} forbid a resume",
        Verdict.UNKNOWN: "not everything could be seen; this is never clean",
    }.get(account.verdict or Verdict.UNKNOWN, "")
    if account.verdict is Verdict.UNKNOWN and blocking:
        tail += f"; {blocking} of {found} forbid a resume"
    return line("verdict ", state(look, mark_of(word), word.upper()), f"  {tail}")


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
