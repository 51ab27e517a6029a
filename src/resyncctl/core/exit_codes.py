"""The exit codes: an interface that scripts, cron and monitoring rely on.

The codes 2, 20 to 25, 65 to 78 and 124 promise that no mutating request left this process.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. A code that is not listed here is a failure."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    DISCREPANCIES = 10
    BLOCKED = 11
    INCOMPLETE = 12
    RESIDUAL = 13
    PARTIAL = 14
    MISSED = 15
    NEEDS_HUMAN = 16
    REFUSED = 20
    STALE = 21
    APPROVAL = 22
    DECLINED = 23
    NOTTY = 24
    LOCKED = 25
    DATAERR = 65
    UNAVAILABLE = 69
    IOERR = 74
    TEMPFAIL = 75
    NOPERM = 77
    CONFIG = 78
    DEADLINE = 124
    HUP = 129
    INT = 130
    TERM = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done and verified; no discrepancies; everything was visible",
    ExitCode.INTERNAL: "a fault in the tool itself; treat the account as UNSAFE",
    ExitCode.USAGE: "wrong arguments",
    ExitCode.DISCREPANCIES: "differences were found; none of them blocks a resume",
    ExitCode.BLOCKED: "differences or gate conditions forbid a resume; stay UNSAFE",
    ExitCode.INCOMPLETE: "not everything could be seen, so nothing is called clean",
    ExitCode.RESIDUAL: "orders or positions remain, or their absence is not proved",
    ExitCode.PARTIAL: "some targets are done and verified, others failed or were not attempted",
    ExitCode.MISSED: "the procedure worked but a time target was missed",
    ExitCode.NEEDS_HUMAN: "an unattended run reached a step for a person; it can be resumed",
    ExitCode.REFUSED: "an interlock or a cap forbids it",
    ExitCode.STALE: "the plan or the evidence is out of date",
    ExitCode.APPROVAL: "a required approval is missing",
    ExitCode.DECLINED: "the operator said no",
    ExitCode.NOTTY: "a confirmation is needed and there is no terminal to ask on",
    ExitCode.LOCKED: "another run holds the account",
    ExitCode.DATAERR: "a checkpoint, snapshot or journal is corrupt",
    ExitCode.UNAVAILABLE: "the exchange cannot be reached",
    ExitCode.IOERR: "the journal cannot be written",
    ExitCode.TEMPFAIL: "rate limited or too slow; try again later",
    ExitCode.NOPERM: "the key was refused or lacks a permission",
    ExitCode.CONFIG: "the configuration is wrong",
    ExitCode.DEADLINE: "the deadline passed before anything was changed",
    ExitCode.HUP: "interrupted by a hang-up",
    ExitCode.INT: "interrupted from the keyboard",
    ExitCode.TERM: "terminated",
}

NO_MUTATION: frozenset[ExitCode] = frozenset(
    {
        ExitCode.USAGE,
        ExitCode.REFUSED,
        ExitCode.STALE,
        ExitCode.APPROVAL,
        ExitCode.DECLINED,
        ExitCode.NOTTY,
        ExitCode.LOCKED,
        ExitCode.DATAERR,
        ExitCode.UNAVAILABLE,
        ExitCode.IOERR,
        ExitCode.TEMPFAIL,
        ExitCode.NOPERM,
        ExitCode.CONFIG,
        ExitCode.DEADLINE,
    }
)

_PRECEDENCE = (
    ExitCode.RESIDUAL,
    ExitCode.INTERNAL,
    ExitCode.BLOCKED,
    ExitCode.INCOMPLETE,
    ExitCode.PARTIAL,
    ExitCode.DISCREPANCIES,
    ExitCode.MISSED,
    ExitCode.OK,
)


def combine(codes: Iterable[ExitCode], *, mutated: bool) -> ExitCode:
    """Given the code of every account, return the one of the whole command.

    When some accounts failed outright (a code of `NO_MUTATION`) and others did not, the whole is
    PARTIAL unless something worse is among them. When all failed in the same way, that code stands.
    `mutated` says whether any mutating request left the process: then no code of `NO_MUTATION`
    may be returned, and the answer falls back to RESIDUAL.
    """
    seen = list(codes)
    if not seen:
        return ExitCode.OK
    ranked = [code for code in _PRECEDENCE if code in seen]
    others = [code for code in seen if code not in _PRECEDENCE]
    if not others:
        return ranked[0]
    if mutated and not ranked:
        return ExitCode.RESIDUAL
    if not ranked:
        return others[0] if len(set(others)) == 1 else ExitCode.INCOMPLETE
    worst = ranked[0]
    if _PRECEDENCE.index(worst) <= _PRECEDENCE.index(ExitCode.INCOMPLETE):
        return worst
    return ExitCode.PARTIAL


def nagios_code(code: ExitCode) -> int:
    """Return the plug-in code of Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
    match code:
        case ExitCode.OK:
            return 0
        case ExitCode.DISCREPANCIES | ExitCode.PARTIAL | ExitCode.MISSED:
            return 1
        case ExitCode.BLOCKED | ExitCode.RESIDUAL:
            return 2
        case _:
            return 3
