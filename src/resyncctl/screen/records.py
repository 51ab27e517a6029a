"""The smaller screens: gate, doctor, engines, configuration, audit.

Called by `screen.render`. Each function draws what its command puts into the outcome's data.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from resyncctl.core.outcome import AccountOutcome, Outcome
from resyncctl.screen.document import Block, Cell, Column, Row, Table, cell, line, row, state
from resyncctl.screen.text import FAIL, OK, Look, mark_of, moment, plural


def draw_gate(account: AccountOutcome, look: Look) -> Iterator[Block]:
    """Return the gate of one account, and the conditions when it was asked to open."""
    gate = account.evidence
    if "state" in gate:
        word = str(gate["state"])
        by = gate.get("by")
        yield line(
            cell(account.account, "bold"),
            "  gate ",
            state(look, mark_of(word), word),
            f"  since {moment(_whole(gate.get('since_ms')))}",
            f" by {by}" if by else "",
        )
        if gate.get("reason"):
            yield line(str(gate["reason"]), indent=3)
        if not gate.get("trusted", True):
            yield line(
                state(look, FAIL, "not trusted"),
                "  the gate file is missing, corrupt or foreign; that always means UNSAFE",
                indent=3,
            )
    for condition in _rows(gate.get("conditions")):
        mark = OK if condition.get("holds") else FAIL
        word = "holds" if condition.get("holds") else "fails"
        yield line(
            state(look, mark, f"{word}  {condition.get('name', '')}"),
            f": {condition.get('evidence', '')}",
            indent=3,
        )
    if account.error is not None:
        yield line(state(look, FAIL, "not moved"), f"  {account.error.message}", indent=3)
        if account.error.hint:
            yield line("hint ", account.error.hint, indent=3)


def draw_doctor(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return every probe, the installation's first, then each account's."""
    rows: list[Row] = []
    for scope, data in (
        ("-", outcome.data),
        *((account.account, account.data) for account in outcome.accounts),
    ):
        for probe in _rows(data.get("probes")):
            word = str(probe.get("state", "unknown"))
            hint = probe.get("hint")
            below = [line("hint: ", str(hint), indent=5)] if hint and word != "ok" else []
            rows.append(
                row(
                    state(look, mark_of(word), word),
                    scope,
                    str(probe.get("probe", "")),
                    below=[line(str(probe.get("detail", "")), indent=5), *below],
                )
            )
    columns = (
        Column(heading="STATE"),
        Column(heading="ACCOUNT", shrink=True),
        Column(heading="PROBE", shrink=True, least=12),
    )
    yield Table(columns, tuple(rows))


def draw_engines(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return the configured engines."""
    del look
    columns = (
        Column(heading="ENGINE"),
        Column(heading="ACCOUNTS", shrink=True),
        Column(heading="STATE", shrink=True, least=16),
        Column(heading="CONTROL", shrink=True),
        Column(heading="SILENCE", shrink=True, least=12, optional=True),
        Column(heading="GATE FILE", shrink=True, least=12, optional=True),
    )
    rows = tuple(
        row(
            str(engine.get("name")),
            ", ".join(engine.get("accounts", [])),
            str(engine.get("state")),
            str(engine.get("control")),
            str(engine.get("silence") or "-"),
            str(engine.get("gate_file") or "-"),
        )
        for engine in _rows(outcome.data.get("engines"))
    )
    yield Table(columns, rows) if rows else line("no engine is configured")


def draw_config(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return the configuration's values, or what `config check` found."""
    values = _rows(outcome.data.get("values"))
    if values:
        with_origin = bool(outcome.data.get("show_origin"))
        columns = (
            Column(heading="KEY", shrink=True, least=20),
            Column(heading="VALUE", shrink=True, least=12),
            *((Column(heading="ORIGIN", shrink=True, least=12),) if with_origin else ()),
        )
        yield Table(
            columns,
            tuple(
                row(
                    str(value["key"]),
                    str(value["value"]),
                    *((str(value["origin"]),) if with_origin else ()),
                )
                for value in values
            ),
        )
    elif outcome.error is None:
        yield line(
            state(look, OK, "ok"),
            f"  {outcome.data.get('path', '')}: "
            f"{plural(int(str(outcome.data.get('accounts', 0))), 'account')}, "
            f"{plural(int(str(outcome.data.get('engines', 0))), 'engine')}",
        )
    for warning in outcome.data.get("warnings") or ():  # type: ignore[attr-defined]  # a list, by the command
        yield line(state(look, mark_of("warn"), "note"), f"  {warning}")


def draw_audit(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return every chain and where it is broken."""
    columns = (
        Column(heading="CHAIN", shrink=True, least=20),
        Column(heading="RECORDS", right=True),
        Column(heading="STATE"),
        Column(heading="HEAD", shrink=True, least=12, optional=True),
    )
    rows = []
    for chain in _rows(outcome.data.get("chains")):
        word = "ok" if chain.get("intact") else "fail"
        below = [line(str(words), indent=5) for words in chain.get("problems", ())]
        below += [line(str(words), indent=5) for words in chain.get("notes", ())]
        shown = "intact" if chain.get("intact") else "broken"
        rows.append(
            row(
                str(chain.get("name", "")),
                str(chain.get("records", "?")),
                state(look, mark_of(word), shown),
                str(chain.get("head") or "-"),
                below=below,
            )
        )
    yield Table(columns, tuple(rows)) if rows else line("no records yet")
    for problem in outcome.data.get("problems") or ():  # type: ignore[attr-defined]  # a list, by the command
        yield line(state(look, FAIL, "broken"), f"  {problem}")


def draw_init(outcome: Outcome, look: Look) -> Iterator[Block]:
    """Return which files were written."""
    for path in outcome.data.get("written") or ():  # type: ignore[attr-defined]  # a list, by the command
        yield line(state(look, OK, "written"), f"  {path}")
    for words in outcome.data.get("notes") or ():  # type: ignore[attr-defined]  # a list, by the command
        yield line(Cell("  "), str(words))


def _rows(value: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
