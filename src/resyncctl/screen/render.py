"""Turn an outcome into what the operator asked for: a table, JSON, JSON lines, or a Nagios line.

Promises: data goes to the given output and nowhere else; with `quiet` a clean result prints zero
bytes and any other one line; every result that is not 0 ends with a `next:` line. Called by the
command line once per command.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TextIO

from resyncctl.core.exit_codes import MEANINGS, ExitCode
from resyncctl.core.outcome import AccountOutcome, Outcome, OutcomeError
from resyncctl.screen import (
    cancel_all,
    envelope,
    flatten,
    incidents,
    nagios,
    reconcile,
    records,
    snapshots,
    status,
    verify,
    watch,
)
from resyncctl.screen.document import Block, Cell, Line, Screen, line, state
from resyncctl.screen.terminal import show
from resyncctl.screen.text import FAIL, UNKNOWN, Look, plural, safe_text


class Output(StrEnum):
    """The form in which a result is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    NAGIOS = "nagios"


def render(
    outcome: Outcome,
    stream: TextIO,
    look: Look,
    *,
    output: Output = Output.TABLE,
    colour: bool = False,
    quiet: bool = False,
) -> None:
    """Print the outcome."""
    match output:
        case Output.JSON:
            document = _snapshot_document(outcome) or envelope.envelope(outcome)
            stream.write(envelope.dumps(document, indent=2) + "\n")
        case Output.JSONL:
            stream.writelines(envelope.dumps(event) + "\n" for event in envelope.jsonl(outcome))
        case Output.NAGIOS:
            stream.write(nagios.report(outcome))
        case Output.TABLE:
            if quiet:
                stream.writelines(f"{words}\n" for words in quiet_lines(outcome))
            else:
                show(screen_of(outcome, look), stream, look, colour=colour)
    stream.flush()


def quiet_lines(outcome: Outcome) -> Iterator[str]:
    """Return nothing for a result of 0, else one line for each account that is not fine."""
    if outcome.exit_code is ExitCode.OK:
        return
    if outcome.error is not None:
        yield safe_text(f"{outcome.command}: {_error_words(outcome.error)}")
        return
    for account in outcome.accounts:
        if account.exit_code is not ExitCode.OK:
            words = f"{nagios.summary(account)} (exit {int(account.exit_code)})"
            following = account.next_step or next_step(outcome)
            yield safe_text(f"{words}; next: {following}" if following else words)


def screen_of(outcome: Outcome, look: Look) -> Screen:
    """Return the whole screen of a command."""
    return tuple(_blocks(outcome, look))


def _blocks(outcome: Outcome, look: Look) -> Iterator[Block]:
    if outcome.error is None:
        yield from _body(outcome, look)
    else:
        yield from error_lines(outcome.error, look)
    yield from _tail(outcome, look)


_WHOLE: Mapping[str, Callable[[Outcome, Look], Iterator[Block]]] = {
    "status": status.draw,
    "doctor": records.draw_doctor,
    "engine-list": records.draw_engines,
    "config-check": records.draw_config,
    "config-show": records.draw_config,
    "audit-verify": records.draw_audit,
    "incident-list": incidents.draw_list,
    "incident-show": incidents.draw,
    "incident-note": incidents.draw,
    "incident-close": incidents.draw,
    "init": records.draw_init,
}
"""Screens of a command as a whole; every other command is drawn account by account."""


def _body(outcome: Outcome, look: Look) -> Iterator[Block]:
    draw = _WHOLE.get(outcome.command)
    if draw is not None:
        yield from draw(outcome, look)
        return
    for position, account in enumerate(outcome.accounts):
        if position:
            yield line("")
        yield from _account(outcome.command, account, look)


def _account(command: str, account: AccountOutcome, look: Look) -> Iterator[Block]:
    if account.error is not None and not command.startswith("gate"):
        yield line(Cell(f"{_words(command)} ", "bold"), Cell(account.account, "bold"))
        yield from error_lines(account.error, look)
        if not (account.actions or account.findings):
            return
    if command in _DRAWN:
        yield from _DRAWN[command](account, look)
    elif command in {"engine-show", "venue-show"}:
        document = account.data.get("snapshot")
        if isinstance(document, Mapping):
            yield from snapshots.draw(command.replace("-", " "), document, look)
    else:
        yield line(f"{account.account}: {account.status}")


_DRAWN: Mapping[str, Callable[[AccountOutcome, Look], Iterator[Block]]] = {
    "reconcile": reconcile.draw,
    "cancel-all": cancel_all.draw,
    "resync": verify.draw_resync,
    "verify": verify.draw_verify,
    "flatten": flatten.draw,
    "gate-show": records.draw_gate,
    "gate-close": records.draw_gate,
    "gate-open": records.draw_gate,
    "watch": watch.draw_end,
}


def _words(command: str) -> str:
    """Return a command as it is typed: `engine show`, but `cancel-all`."""
    return command if command in {"cancel-all", "sim-serve"} else command.replace("-", " ")


def error_lines(error: OutcomeError, look: Look) -> Iterator[Line]:
    """Return an error as place, message and hint."""
    yield line(state(look, FAIL, "error"), f"  {error.message}")
    if error.place:
        yield line("at   ", error.place, indent=2)
    if error.hint:
        yield line("hint ", error.hint, indent=2)


def _error_words(error: OutcomeError) -> str:
    place = f" ({error.place})" if error.place else ""
    hint = f"; {error.hint}" if error.hint else ""
    return f"{error.message}{place}{hint}"


def _tail(outcome: Outcome, look: Look) -> Iterator[Line]:
    if outcome.exit_code is ExitCode.OK:
        return
    unread = sum(account.exit_code is ExitCode.INCOMPLETE for account in outcome.accounts)
    if unread and len(outcome.accounts) > 1:
        total = plural(len(outcome.accounts), "account")
        yield line(state(look, UNKNOWN, "incomplete"), f"  {unread} of {total} not fully seen")
    code = outcome.exit_code
    yield line(f"exit {int(code)} {code.name}: {MEANINGS[code]}")
    contact = outcome.data.get("call")
    if isinstance(contact, str) and contact:
        yield line("call: ", contact)
    following = next_step(outcome)
    if following:
        yield line(Cell("next: ", "bold"), following)


def next_step(outcome: Outcome) -> str | None:
    """Return the line to type next: the worst account's own, else one for the exit code."""
    if outcome.exit_code is ExitCode.OK:
        return None
    same = [one for one in outcome.accounts if one.exit_code is outcome.exit_code and one.next_step]
    own = same or [one for one in outcome.accounts if one.next_step]
    if own:
        return own[0].next_step
    if outcome.error is not None and "`resyncctl init`" in (outcome.error.hint or ""):
        return "resyncctl init"
    names = " ".join(one.account for one in outcome.accounts)
    return (
        _STEPS.get(outcome.exit_code, "resyncctl status")
        .format(accounts=names, command=outcome.command.replace("-show", " show"))
        .rstrip()
    )


_STEPS: Mapping[ExitCode, str] = {
    ExitCode.INTERNAL: "resyncctl gate close {accounts}",
    ExitCode.USAGE: "resyncctl --help",
    ExitCode.RESIDUAL: "resyncctl cancel-all {accounts}",
    ExitCode.CONFIG: "resyncctl config check",
    ExitCode.NOPERM: "resyncctl doctor {accounts}",
    ExitCode.UNAVAILABLE: "resyncctl doctor {accounts}",
    ExitCode.TEMPFAIL: "resyncctl doctor {accounts}",
    ExitCode.DATAERR: "resyncctl doctor {accounts}",
    ExitCode.IOERR: "df -h; resyncctl doctor",
    ExitCode.LOCKED: "resyncctl watch {accounts}",
}


def _snapshot_document(outcome: Outcome) -> Mapping[str, object] | None:
    """Return the snapshot itself where the answer of a command is one."""
    if outcome.command not in {"engine-show", "venue-show"} or len(outcome.accounts) != 1:
        return None
    account = outcome.accounts[0]
    document = account.data.get("snapshot")
    return document if isinstance(document, Mapping) and account.error is None else None
