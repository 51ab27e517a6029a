"""The screens of `engine show` and `venue show`, drawn from the snapshot documents.

Promises: a section that was not read says so in its own heading with the reason; quantities and
prices are never shortened. Called by `screen.render`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from resyncctl.screen.document import Block, Cell, Column, Line, Row, Table, cell, line, row, state
from resyncctl.screen.text import FAIL, NOTE, OK, UNKNOWN, WARN, Look, number, plural

_FIELDS: Mapping[str, tuple[tuple[str, str, bool], ...]] = {
    "orders": (
        ("symbol", "SYMBOL", False),
        ("side", "SIDE", False),
        ("type", "TYPE", False),
        ("quantity", "QUANTITY", True),
        ("filled", "FILLED", True),
        ("price", "PRICE", True),
        ("status", "STATUS", False),
        ("venue_order_id", "ORDER", False),
        ("client_order_id", "CLIENT ID", False),
    ),
    "fills": (
        ("at", "AT", False),
        ("symbol", "SYMBOL", False),
        ("side", "SIDE", False),
        ("quantity", "QUANTITY", True),
        ("price", "PRICE", True),
        ("fee", "FEE", True),
        ("trade_id", "TRADE", False),
        ("venue_order_id", "ORDER", False),
    ),
    "positions": (
        ("symbol", "SYMBOL", False),
        ("leg", "LEG", False),
        ("quantity", "QUANTITY", True),
        ("entry_price", "ENTRY", True),
    ),
    "balances": (
        ("asset", "ASSET", False),
        ("free", "FREE", True),
        ("locked", "LOCKED", True),
        ("total", "TOTAL", True),
    ),
    "ledger": (
        ("at", "AT", False),
        ("kind", "KIND", False),
        ("asset", "ASSET", False),
        ("amount", "AMOUNT", True),
        ("symbol", "SYMBOL", False),
    ),
}
_IDENTIFIERS = frozenset({"venue_order_id", "client_order_id", "trade_id"})
_OPTIONAL = frozenset({"client_order_id", "fee", "type"})
_SOURCES: Mapping[str, tuple[str, ...]] = {"price": ("price", "trigger_price")}
"""Columns that show more than one field."""
_LONG_LISTS = frozenset({"fills", "ledger"})
_SHOWN_ROWS = 20


def draw(title: str, document: Mapping[str, Any], look: Look) -> Iterator[Block]:
    """Return the screen of one snapshot document."""
    yield _head(title, document)
    source = document.get("source")
    if isinstance(source, Mapping):
        digest = source.get("digest")
        yield line(
            f"from {source.get('adapter', '?')} {source.get('place', '')}",
            f"  digest {digest}" if digest else "",
            indent=2,
        )
    for entry in _list(document.get("trouble")):
        words = f"{_mapping(entry).get('kind', '')}: {_mapping(entry).get('reason', '')}"
        yield line(state(look, FAIL, "trouble"), f"  {words}")
    if document.get("moving"):
        yield line(state(look, UNKNOWN, "moving"), f"  {document['moving']}")
    for where, section_name, section in sections_of(document):
        yield from _section(where, section_name, section, look)
    for entry in _list(document.get("not_covered")):
        if isinstance(entry, Mapping):
            words = f"{entry.get('what')}: {entry.get('reason')}"
            yield line(state(look, UNKNOWN, "not covered"), f"  {words}")


def sections_of(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Return (scope or product, section name, section) for everything in the document."""
    for name, section in _mapping(document.get("sections")).items():
        if "known" in _mapping(section):
            yield "", name, section
    for product in _list(document.get("scopes")):
        yield from _of_product(_mapping(product))


def _of_product(product: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    name = str(product.get("product", "?"))
    for entry in _list(product.get("orders")):
        scope = _mapping(entry.get("scope"))
        where = f"{scope.get('product', name)}/{scope.get('order_class', '?')}"
        yield where, "orders", _mapping(entry)
    for kind in ("positions", "balances", "fills", "ledger"):
        if kind in product:
            yield name, kind, _mapping(product[kind])


def _head(title: str, document: Mapping[str, Any]) -> Line:
    parts: list[Cell | str] = [Cell(f"{title} ", "bold")]
    parts.append(cell(document.get("account", "?"), "bold"))
    parts.append(f"  as of {document.get('as_of', '?')}")
    if document.get("venue"):
        parts.append(f"  {document['venue']}")
    if document.get("sequence") is not None:
        parts.append(f"  generation {document['sequence']}")
    return line(*parts)


def _section(where: str, name: str, section: Mapping[str, Any], look: Look) -> Iterator[Block]:
    title = f"{name} {where}".strip()
    if not section.get("known"):
        reason = section.get("reason", "no reason told")
        yield line(state(look, UNKNOWN, f"{title}: not known"), f"  {reason}")
        return
    rows = _list(section.get("data"))
    complete = bool(section.get("complete"))
    mark = OK if complete else WARN
    extent = plural(len(rows), "row") + ("" if complete else ", not complete")
    window = _mapping(section.get("window"))
    period = f"  {window.get('since')} to {window.get('until')}" if window else ""
    yield line(state(look, mark, title), f": {extent}{period}")
    for note in _list(section.get("notes")):
        yield line(state(look, NOTE, "note"), f" {note}", indent=3)
    shown = rows[-_SHOWN_ROWS:] if name in _LONG_LISTS and not look.verbose else rows
    if len(shown) < len(rows):
        yield line(f"the last {len(shown)} of {len(rows)}; -v shows all", indent=3)
    if shown:
        yield _table(name, [_mapping(one) for one in shown])


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Show the fields that at least one row has."""
    fields = [
        field
        for field in _FIELDS[name]
        if any(
            one.get(key) is not None for one in rows for key in _SOURCES.get(field[0], field[:1])
        )
    ]
    columns = tuple(
        Column(
            heading=heading,
            right=right,
            shrink=key in _IDENTIFIERS,
            optional=key in _OPTIONAL,
        )
        for key, heading, right in fields
    )
    return Table(columns, tuple(_row(one, fields) for one in rows))


def _row(one: Mapping[str, Any], fields: Sequence[tuple[str, str, bool]]) -> Row:
    cells = []
    for key, _heading, _right in fields:
        text = number(one.get(key))
        if key == "price" and one.get("trigger_price") is not None:
            own = f"{text} " if one.get("price") is not None else ""
            text = f"{own}trigger {number(one['trigger_price'])}"
        cells.append(text)
    words = "protective: it guards an open position"
    return row(*cells, below=[line(words, indent=3)] if one.get("protective") else ())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
