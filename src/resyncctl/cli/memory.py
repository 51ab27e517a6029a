"""This run's records and this host's memory: journal, store, earlier runs, verdicts.

Promises: a memory that cannot be used says why and stops no cancel; the journal is ended with the
exit code of the run. Nothing here can change an exchange. Called by wiring and by the verbs.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from resyncctl.cli.incident_record import tell_incidents, tell_taken_over
from resyncctl.core.errors import ResyncError
from resyncctl.core.outcome import AccountOutcome, Outcome
from resyncctl.core.safety import VerdictRecord
from resyncctl.ports.store import Store
from resyncctl.ports.views import Journal

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation

T = TypeVar("T")

FOLLOWED = frozenset({"cancel-all", "flatten", "resync", "verify"})
"""Commands whose progress is kept in their journal, so that others can watch them."""


def once(invocation: "Invocation", key: str, make: Callable[[], T]) -> T:
    """Make a thing at its first use in this run."""
    if key not in invocation.shelf:
        invocation.shelf[key] = make()
    made: T = invocation.shelf[key]
    return made


def journal_roots(invocation: "Invocation") -> tuple[Path, ...]:
    """Return every folder in which this host's journals may be."""
    from resyncctl.adapters.store.runs import all_roots

    return all_roots(invocation.configuration.state_dir, invocation.environ)


def store(invocation: "Invocation") -> Store:
    """Return this host's memory; one that cannot be used says why and never raises."""
    return once(invocation, "store", lambda: _open_store(invocation))


def _open_store(invocation: "Invocation") -> Store:
    from resyncctl.adapters.store.store_opening import open_store

    opened = open_store(
        invocation.configuration.state_dir,
        invocation.clock.now_ms(),
        roots=journal_roots(invocation),
        emergency=invocation.command == "cancel-all",
    )
    invocation.closing.append(opened.close)
    return opened


def redactor(invocation: "Invocation") -> Callable[[str], str]:
    """Return the function that takes this run's secrets out of a text, also later ones."""
    from resyncctl.adapters.store.redaction import make_redactor

    def redact(text: str) -> str:
        secrets = invocation.secrets
        key = f"redactor {len(secrets)}"
        return str(once(invocation, key, lambda: make_redactor(secrets))(text))

    return redact


def journal(
    invocation: "Invocation", accounts: Sequence[str], *, break_glass: bool = False
) -> Journal:
    """Open this run's journal, and end it with the run's exit code.

    Raises:
        RecordUnwritableError: It cannot be made durable, and the glass may not be broken.
    """
    from resyncctl import __version__
    from resyncctl.adapters.store.emergency import EmergencyJournal
    from resyncctl.adapters.store.journal import Beginning
    from resyncctl.adapters.store.lease_fence import FencedJournal
    from resyncctl.adapters.store.opening import JournalOptions, open_journal
    from resyncctl.ports.store import RunRow

    beginning = Beginning(command=invocation.command, accounts=tuple(accounts), version=__version__)
    options = JournalOptions(
        state_dir=invocation.configuration.state_dir,
        clock=invocation.clock,
        redact=redactor(invocation),
        break_glass=break_glass,
        environ=invocation.environ,
        mirror=invocation.stderr,
        warn=invocation.warn,
    )
    opened = open_journal(beginning, options, invocation.run_id)
    row = RunRow(
        run_id=invocation.run_id,
        command=invocation.command,
        accounts=tuple(accounts),
        started_at_ms=invocation.started_at_ms,
    )
    store(invocation).begin_run(row)

    def end(outcome: Outcome) -> None:
        from dataclasses import replace

        opened.end(int(outcome.exit_code), outcome.exit_code.name)
        store(invocation).end_run(
            replace(
                row,
                ended_at_ms=invocation.clock.now_ms(),
                exit_code=int(outcome.exit_code),
                head_sequence=opened.head.sequence,
                head_sha256=opened.head.sha256,
            )
        )

    invocation.ending.append(end)
    invocation.closing.append(opened.close)
    tell_incidents(invocation, accounts)

    def vouch(account: str, fencing_token: int, deadline_ms: int) -> None:
        from resyncctl.cli import wiring

        wiring.vouch(invocation, account, fencing_token, deadline_ms)

    def tell(event: str, details: Mapping[str, object]) -> None:
        if event == "taken_over":
            tell_taken_over(invocation, details)

    fenced = invocation.shelf["journal"] = FencedJournal(opened, vouch, tell)
    if invocation.command in FOLLOWED:
        invocation.keep_progress(
            fenced, lambda: not isinstance(opened, EmergencyJournal) or opened.is_durable
        )
    return fenced


def unfinished_runs(invocation: "Invocation", account: str) -> list[dict[str, object]]:
    """Return the runs on the account that never came to their end."""
    from resyncctl.adapters.store.runs import unfinished_runs as find

    return [
        {
            "run_id": run.run_id,
            "command": run.command,
            "started_at_ms": run.started_at_ms,
            "user": run.user,
            "open_intents": len(run.open_intents),
            "reason": run.why(),
        }
        for run in find(journal_roots(invocation), account)
    ]


def resolve_earlier_runs(invocation: "Invocation", account: str, by_run: str) -> None:
    """Write down that unfinished runs on the account were taken care of by this one."""
    from resyncctl.adapters.store.runs import resolve_account

    try:
        resolve_account(
            journal_roots(invocation),
            account,
            by_run=by_run,
            clock=invocation.clock,
            redact=redactor(invocation),
        )
    except ResyncError as error:
        invocation.warn(f"an earlier run could not be marked as finished: {error.message}")


def remember_verdict(invocation: "Invocation", outcome: AccountOutcome) -> None:
    """Keep the verdict for `status` and `gate open`; a newer run's is not overwritten."""
    from resyncctl.cli import wiring

    evidence = outcome.evidence
    as_of_ms, valid_ms = evidence.get("as_of_ms"), evidence.get("valid_until_ms")
    digests = evidence.get("digests")
    if outcome.verdict is None or not isinstance(as_of_ms, int) or not isinstance(valid_ms, int):
        return
    kept = store(invocation).remember_verdict(
        VerdictRecord(
            account=outcome.account,
            verdict=outcome.verdict,
            blocks_resume=any(finding.blocks_resume for finding in outcome.findings),
            as_of_ms=as_of_ms,
            valid_until_ms=valid_ms,
            run_id=invocation.run_id,
            digests={str(name): str(text) for name, text in digests.items()}
            if isinstance(digests, dict)
            else {},
        ),
        wiring.fence_of(invocation, outcome.account),
    )
    if not kept:
        invocation.warn("the verdict could not be remembered; `gate open` will not find it")


def last_verdict(invocation: "Invocation", account: str) -> VerdictRecord | None:
    """Return the last verdict; one that cannot be read is none, so that the gate stays shut."""
    found = store(invocation).last_verdict(account)
    return found if isinstance(found, VerdictRecord) else None
