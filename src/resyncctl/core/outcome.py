"""What a command returns: one value that the screen draws and the envelope serialises."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resyncctl.core.discrepancy import Discrepancy, Verdict
from resyncctl.core.exit_codes import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One mutating attempt, or one plan line of a dry run.

    `verb` is `cancel_symbol`, `cancel_order`, `reduce` or `gate_move`. `state` is `planned`, `done`
    (a gate move, a reducing order with a known end), `rejected`, `gone` (proved) or `unproven`;
    `outcome` is the classified answer of the last attempt.
    """

    verb: str
    account: str
    scope: str | None = None
    symbol: str | None = None
    venue_order_id: str | None = None
    client_order_id: str | None = None
    orders: int = 1
    attempts: int = 0
    outcome: str | None = None
    state: str = "planned"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionReport:
    """How one section of a snapshot was read: what was seen, and what was not."""

    side: str
    section: str
    scope: str
    known: bool
    complete: bool
    rows: int
    reason: str = ""
    as_of_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeError:
    """Why a command failed, in words for the operator."""

    kind: str
    message: str
    hint: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOutcome:
    """What became of one account.

    `status` is one stable lower-case word, e.g. `clean`, `discrepant`, `unknown`, `proved_empty`,
    `residual`, `refused`, `failed`. `counts` are numbers for the summary line, `timings` are
    milliseconds by stage, `evidence` is JSON-friendly proof (as_of_ms, valid_until_ms, digests,
    proof reads). `next_step` is a line that can be pasted into a shell.
    """

    account: str
    status: str
    exit_code: ExitCode
    verdict: Verdict | None = None
    findings: tuple[Discrepancy, ...] = ()
    actions: tuple[ActionRecord, ...] = ()
    sections: tuple[SectionReport, ...] = ()
    counts: Mapping[str, int | str] = field(default_factory=dict)
    timings: Mapping[str, int] = field(default_factory=dict)
    evidence: Mapping[str, object] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    error: OutcomeError | None = None
    next_step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a whole command."""

    command: str
    run_id: str
    started_at_ms: int
    finished_at_ms: int
    exit_code: ExitCode
    accounts: tuple[AccountOutcome, ...] = ()
    error: OutcomeError | None = None
    data: Mapping[str, object] = field(default_factory=dict)
