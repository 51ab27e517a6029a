"""`resyncctl audit verify`: walk the hash chains of every record on this host."""

from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor",
            metavar="RUN:SEQUENCE:SHA256",
            help="A head that was kept elsewhere; it must still be in the chain.",
        ),
    ] = None,
) -> Job:
    """Check that no record of this host was altered, removed, reordered or torn.

    Exit: 0 every chain holds, 65 one is broken.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.adapters.store.audit import anchors_of, parse_anchor, verify_chains
        from resyncctl.adapters.store.incident_audit import verify_incidents
        from resyncctl.adapters.store.incident_files import is_incident_id
        from resyncctl.cli import memory
        from resyncctl.core.exit_codes import ExitCode
        from resyncctl.core.snapshot import Unknown

        given = [parse_anchor(text) for text in anchor or []]
        about_incidents = [one for one in given if is_incident_id(one.run_id)]
        kept = [one for one in given if one not in about_incidents]
        rows = memory.store(invocation).runs(limit=10_000)
        notes = []
        if isinstance(rows, Unknown):
            notes.append(f"the store's own heads could not be compared: {rows.reason}")
        else:
            kept += anchors_of(rows)
        report = verify_chains(memory.journal_roots(invocation), kept)
        chains = [
            {
                "name": chain.run_id,
                "records": chain.records,
                "intact": not chain.breaks,
                "head": str(chain.head) if chain.head else None,
                "problems": [f"{one.kind}: {one.detail}" for one in chain.breaks],
                "notes": list(chain.notes),
            }
            for chain in report.runs
        ]
        incidents = verify_incidents(invocation.configuration.state_dir, about_incidents)
        chains += [
            {
                "name": chain.incident_id,
                "records": chain.records,
                "intact": not chain.problems,
                "head": chain.head,
                "problems": list(chain.problems),
                "notes": list(chain.notes),
            }
            for chain in incidents.chains
        ]
        whole = report.ok and incidents.ok
        data = {
            "chains": chains,
            "problems": [
                *(f"{one.kind}: {one.detail}" for one in report.missing),
                *incidents.problems,
            ],
            "notes": notes,
            "heads": [*(str(head) for head in report.heads), *incidents.heads],
        }
        return invocation.outcome(data=data, exit_code=ExitCode.OK if whole else ExitCode.DATAERR)

    return Job(name="audit-verify", run=run)
