"""Write into the incidents of the accounts what a run began and how it ended.

Promises: every command that has a journal is told of, wherever an incident is open; trouble with
the record is said once and changes nothing else. Called by `memory` when a journal is opened, and
by wiring, which hands out gates that tell of their moves.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from resyncctl.core.incident import IncidentEventKind
from resyncctl.core.outcome import AccountOutcome, Outcome

if TYPE_CHECKING:
    from resyncctl.adapters.store.incidents import Incidents
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.discrepancy import Discrepancy

_FINDINGS_MAX = 50
_MISSING_MAX = 3
_ONLY_LOOKS = frozenset({"reconcile", "verify"})
"""Commands that cron runs every minute: their end is told when it says something new."""


def incidents(invocation: "Invocation") -> "Incidents":
    """Return the incidents of this host."""
    from resyncctl.adapters.store.incidents import Incidents
    from resyncctl.cli import memory

    return memory.once(
        invocation,
        "incidents",
        lambda: Incidents(
            invocation.configuration.state_dir,
            redact=memory.redactor(invocation),
            roots=lambda: memory.journal_roots(invocation),
        ),
    )


def tell_incidents(invocation: "Invocation", accounts: Sequence[str]) -> None:
    """Tell the open incidents that this run begins now, and that it has ended when it has."""
    if invocation.command not in _ONLY_LOOKS:
        for account in accounts:
            _add(invocation, account, IncidentEventKind.RUN_BEGAN, _who(invocation))

    def end(outcome: Outcome) -> None:
        told = {one.account: one for one in outcome.accounts}
        for account in accounts:
            _add(
                invocation,
                account,
                IncidentEventKind.RUN_ENDED,
                ended(invocation.command, outcome, told.get(account)),
            )

    invocation.ending.append(end)


def tell_taken_over(invocation: "Invocation", details: Mapping[str, object]) -> None:
    """Tell the open incident of an account that this run has taken it from another one."""
    account, held = str(details.get("account", "")), str(details.get("from", ""))
    way = "without its answer" if details.get("forced") is True else "which gave way"
    told = {
        "text": f"account taken over from {held}, {way}: {details.get('reason', '')}",
        "from_run": details.get("from_run"),
        "forced": details.get("forced") is True,
    }
    trouble = incidents(invocation).add(
        account,
        "taken_over",
        told,
        run_id=invocation.run_id,
        at_ms=invocation.clock.now_ms(),
    )
    if trouble is not None:
        invocation.warn(trouble)


def ended(command: str, outcome: Outcome, account: AccountOutcome | None) -> dict[str, object]:
    """Return what an incident keeps of the end of a run."""
    if account is None:
        failed = outcome.error.message if outcome.error else ""
        return {
            "command": command,
            "status": "failed" if outcome.error else "ended",
            "exit_code": int(outcome.exit_code),
            "missing": failed,
        }
    findings = [_finding(one) for one in account.findings[:_FINDINGS_MAX]]
    return {
        "command": command,
        "status": account.status,
        "exit_code": int(account.exit_code),
        "verdict": account.verdict.value if account.verdict is not None else "",
        "counts": dict(account.counts),
        "findings": findings,
        "findings_left_out": len(account.findings) - len(findings),
        "cancel_skipped": account.evidence.get("cancel_skipped") is True,
        "missing": _missing(account),
    }


def _finding(one: "Discrepancy") -> dict[str, str]:
    subject = " ".join(str(value) for value in one.subject.present().values())
    return {
        "kind": one.kind.value,
        "severity": one.severity.value,
        "subject": subject,
        "detail": one.detail or one.remedy,
    }


def _missing(account: AccountOutcome) -> str:
    """Return in words what the run could not prove or do."""
    words = [account.error.message] if account.error else []
    for key in ("not_proved", "missing", "failing", "trouble"):
        words += _texts(account.evidence, key)
    for key in ("gate_trouble", "escalated"):
        trouble = account.evidence.get(key)
        words += [trouble] if isinstance(trouble, str) else []
    told = "; ".join(words[:_MISSING_MAX])
    more = len(words) - _MISSING_MAX
    return f"{told}; and {more} more" if more > 0 else told


def _texts(evidence: Mapping[str, object], key: str) -> list[str]:
    value = evidence.get(key)
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _who(invocation: "Invocation") -> dict[str, object]:
    return {"command": invocation.command, "by": invocation.operator}


def _add(
    invocation: "Invocation",
    account: str,
    event: IncidentEventKind,
    details: Mapping[str, object],
) -> None:
    trouble = incidents(invocation).add(
        account,
        event.value,
        details,
        run_id=invocation.run_id,
        at_ms=invocation.clock.now_ms(),
        only_news=invocation.command in _ONLY_LOOKS,
    )
    if trouble is not None:
        invocation.warn(trouble)
