"""`resyncctl incident`: what happened from the closing of a gate to the end, and notes about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.arguments import Accounts
from resyncctl.cli.job import Job
from resyncctl.core.errors import CorruptDataError, RecordUnwritableError, UsageError

if TYPE_CHECKING:
    from resyncctl.adapters.store.incidents import Incidents
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.incident import Incident
    from resyncctl.core.outcome import Outcome

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="INCIDENT",
        help="An incident's id, the end of one, or an account; none means the newest.",
        show_default=False,
    ),
]
NeededName = Annotated[
    str,
    typer.Argument(
        metavar="INCIDENT",
        help="An incident's id, the end of one, or an account.",
        show_default=False,
    ),
]
FORMATS = ("md", "html", "json")
_SHOWN_NAMES = 5


def list_command(
    accounts: Accounts = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only incidents that have not ended.")
    ] = False,
) -> Job:
    """List the incidents of this host, the newest first. An incident begins when a gate closes.

    Exit: 0, 65 the records cannot be read.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        names = [spec.name for spec in invocation.accounts(accounts)] if accounts else []
        found = _all(invocation, names)
        shown = [one for one in found if one.is_open or not only_open]
        return invocation.outcome(data={"incidents": shown})

    return Job(name="incident-list", run=run)


def show(incident: Name = None) -> Job:
    """Show one incident: figures, runs, findings, timeline, and what is not known.

    Exit: 0, 2 there is no such incident, 65 the records cannot be read.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        return invocation.outcome(data={"incidents": [_chosen(invocation, incident)]})

    return Job(name="incident-show", run=run)


def note(
    incident: NeededName,
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="What is to be noted.")],
) -> Job:
    """Add a note to an incident, also to one that has ended.

    Exit: 0 written, 2 there is no such incident, 65 the records cannot be read, 74 it cannot be
    written, or the record of the incident is damaged.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.core.incident import IncidentEventKind

        words = " ".join(text).strip()
        if not words:
            raise UsageError("a note without words")
        chosen = _chosen(invocation, incident)
        _demand(
            _log(invocation).annotate(
                chosen.account,
                chosen.incident_id,
                IncidentEventKind.NOTE.value,
                {"text": words, "by": invocation.operator},
                run_id=invocation.run_id,
                at_ms=invocation.clock.now_ms(),
            )
        )
        return invocation.outcome(data={"incidents": [_chosen(invocation, chosen.incident_id)]})

    return Job(name="incident-note", run=run)


def close(
    incident: NeededName,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it is over, for the record.")
    ],
) -> Job:
    """End an incident by hand, e.g. for an account that will not trade again. The gate stays.

    Exit: 0 ended, 2 there is no such incident, 20 it has ended already, 65 the records cannot be
    read, 74 it cannot be written, or the record of the incident is damaged.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.core.errors import RefusedError

        chosen = _chosen(invocation, incident)
        if not chosen.is_open:
            raise RefusedError(f"incident {chosen.incident_id} has ended already")
        _demand(
            _log(invocation).closed(
                chosen.account,
                f"by hand: {reason}",
                by=invocation.operator,
                run_id=invocation.run_id,
                at_ms=invocation.clock.now_ms(),
            )
        )
        return invocation.outcome(data={"incidents": [_chosen(invocation, chosen.incident_id)]})

    return Job(name="incident-close", run=run)


def export(
    incident: Name = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="md, html or json.")
    ] = "md",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write a new file instead of standard output."),
    ] = None,
) -> Job:
    """Print the draft of a post-mortem: timeline, figures, findings, and what is not known.

    Exit: 0, 2 there is no such incident or format, 20 the file exists already, 65 the records
    cannot be read, 74 the file cannot be written.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        if form not in FORMATS:
            raise UsageError(f"there is no format `{form}`", hint=f"one of: {', '.join(FORMATS)}")
        text = _text(_chosen(invocation, incident), form, invocation.clock.now_ms())
        if out is None:
            invocation.stdout.write(text)
        else:
            _write_new(out, text)
        return invocation.outcome()

    return Job(name="incident-export", run=run, prints_itself=True)


def _text(chosen: "Incident", form: str, now_ms: int) -> str:
    from resyncctl.screen import incident_report
    from resyncctl.screen.envelope import dumps, friendly

    if form == "json":
        document = {"schema": "resyncctl/incident/v1", "incident": friendly(chosen)}
        return dumps(document, indent=2) + "\n"
    make = incident_report.markdown if form == "md" else incident_report.page
    return make(chosen, now_ms)


def _write_new(path: Path, text: str) -> None:
    from resyncctl.core.errors import RefusedError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RefusedError("the file exists already", place=str(path)) from None
    except OSError as trouble:
        raise RecordUnwritableError(
            f"cannot be written: {trouble.strerror}", place=str(path)
        ) from None


def _log(invocation: "Invocation") -> "Incidents":
    from resyncctl.cli.incident_record import incidents

    return incidents(invocation)


def _demand(trouble: str | None) -> None:
    if trouble is not None:
        raise RecordUnwritableError(trouble)


def _all(invocation: "Invocation", accounts: list[str]) -> "tuple[Incident, ...]":
    from resyncctl.core.snapshot import Unknown

    found = _log(invocation).all(accounts, invocation.clock.now_ms())
    if isinstance(found, Unknown):
        raise CorruptDataError(found.reason)
    return found


def _chosen(invocation: "Invocation", name: str | None) -> "Incident":
    """Return the incident that is meant.

    Raises:
        UsageError: There is none, or more than one ends so.
    """
    found = _all(invocation, [])
    if not found:
        raise UsageError(
            "no incident is recorded on this host",
            hint="an incident begins when the gate of an account closes",
        )
    if name is None:
        return next((one for one in found if one.is_open), found[0])
    if name in {one.account for one in found}:
        return next(one for one in found if one.account == name)
    fitting = [one for one in found if one.incident_id == name or one.incident_id.endswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(one.incident_id for one in (fitting or found)[:_SHOWN_NAMES])
    more = " and more; see `resyncctl incident list`" if len(found) > _SHOWN_NAMES else ""
    what = "more than one incident ends with" if fitting else "there is no incident"
    raise UsageError(f"{what} `{name}`", hint=f"known: {known}{more}")
