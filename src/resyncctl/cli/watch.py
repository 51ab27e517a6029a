"""`resyncctl watch`: follow the run that holds an account, from another terminal. Changes nothing.

Promises: it takes no lock and asks no exchange; the death of the run that it follows is told as
such; an interruption ends the watching and nothing else. `offer` is for the verbs that found their
account held. Called by the command line.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resyncctl.cli.arguments import Accounts
from resyncctl.cli.job import Job
from resyncctl.core.errors import UsageError

if TYPE_CHECKING:
    from resyncctl.adapters.store.follow import Follower
    from resyncctl.adapters.store.records import Record
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import AccountOutcome, Outcome
    from resyncctl.core.run_view import RunView

_POLL_MS = 500


def command(accounts: Accounts = None) -> Job:
    """Follow the run that holds an account, until it ends. Changes nothing and asks no exchange.

    Exit: 0 the run ended with 0, or nobody holds the account, 11 it ended otherwise or died, 12 its
    journal cannot be read, 78 the configuration is wrong, 130 or 143 interrupted.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import wiring
        from resyncctl.core.exit_codes import ExitCode
        from resyncctl.core.outcome import AccountOutcome

        specs = invocation.accounts(accounts or [])
        runs = {spec.name: wiring.holding_run(invocation, spec.name) for spec in specs}
        held = [name for name, run_id in runs.items() if run_id is not None]
        if len(held) > 1:
            raise UsageError(
                f"{len(held)} accounts are held", hint=f"name one: {', '.join(sorted(held))}"
            )
        return invocation.outcome(
            [
                await follow(invocation, name, runs[name] or "")
                if name in held
                else AccountOutcome(account=name, status="not_held", exit_code=ExitCode.OK)
                for name in (held or runs)
            ]
        )

    return Job(name="watch", run=run)


async def offer(invocation: "Invocation", outcomes: "Sequence[AccountOutcome]") -> None:
    """Offer the operator whose account is held to watch the run that holds it."""
    from resyncctl.cli import wiring
    from resyncctl.cli.options import Output
    from resyncctl.core.exit_codes import ExitCode

    locked = [one for one in outcomes if one.exit_code is ExitCode.LOCKED and one.error]
    if len(outcomes) != 1 or not locked or invocation.output is not Output.TABLE:
        return
    (one,) = locked
    run_id = wiring.holding_run(invocation, one.account)
    if run_id is None or invocation.options.quiet or not invocation.prompter.can_ask():
        return
    invocation.progress.say(one.account, "lease", one.error.message if one.error else "held")
    invocation.progress.finish()
    question = f"Watch run {run_id}?"
    if await invocation.prompter.confirm(question, flag="resyncctl watch", default=True):
        await follow(invocation, one.account, run_id)


async def follow(invocation: "Invocation", account: str, run_id: str) -> "AccountOutcome":
    """Show a run until it has ended, has died, or the operator has seen enough."""
    from resyncctl.adapters.store.follow import Follower
    from resyncctl.cli.memory import journal_roots
    from resyncctl.core.run_view import RunView, advance

    follower = Follower(journal_roots(invocation), run_id)
    view = RunView(run_id=run_id, account=account)
    while True:
        # Asked before reading: what a run wrote before it died is always seen.
        alive = follower.is_alive()
        for record in follower.new_records():
            view = advance(view, record.event, record.at_ms, record.details)
            _tell(invocation, record)
        _show(invocation, view, alive=alive)
        if view.exit_code is not None or not alive or invocation.interruption.asked():
            return _outcome(view, follower)
        await invocation.clock.sleep_ms(_POLL_MS)


def _outcome(view: "RunView", follower: "Follower") -> "AccountOutcome":
    from resyncctl.core.exit_codes import ExitCode
    from resyncctl.core.outcome import AccountOutcome
    from resyncctl.screen.watch import end_words

    code = ExitCode.OK if view.exit_code == 0 else ExitCode.BLOCKED
    status = "ended" if view.exit_code is not None else "died"
    words = end_words(view)
    if view.began_ms is None or follower.unreadable:
        code, status = ExitCode.INCOMPLETE, "unreadable"
        words = f"the journal of run {view.run_id} cannot be read whole"
    return AccountOutcome(
        account=view.account,
        status=status,
        exit_code=code,
        data={
            "run_id": view.run_id,
            "command": view.command,
            "run_exit_code": view.exit_code,
            "requests": len(view.intents),
            "unanswered": view.unanswered,
            "words": words,
        },
        next_step=None if code is ExitCode.OK else f"resyncctl status {view.account}",
    )


def _show(invocation: "Invocation", view: "RunView", *, alive: bool) -> None:
    """Draw the run on a terminal, always in the same place."""
    from resyncctl.cli import options
    from resyncctl.screen.terminal import is_terminal, look_at, show, wants_colour
    from resyncctl.screen.watch import draw

    stream = invocation.stdout
    if not _is_live(invocation) or not is_terminal(stream):
        return
    look = look_at(stream)
    choice = (invocation.options.color or options.Colour.AUTO).value
    stream.write("\x1b[H\x1b[2J")
    screen = tuple(draw(view, invocation.clock.now_ms(), alive=alive, look=look))
    show(screen, stream, look, colour=wants_colour(stream, choice))


def _tell(invocation: "Invocation", record: "Record") -> None:
    """Print one event as one line, where there is no terminal to draw on."""
    from resyncctl.cli.options import Output
    from resyncctl.screen.envelope import dumps
    from resyncctl.screen.terminal import is_terminal
    from resyncctl.screen.text import clock, rfc3339, safe_text
    from resyncctl.screen.watch import event_words

    if invocation.output is Output.JSONL:
        event = {
            "event": "record",
            "run_id": record.run_id,
            "at": rfc3339(record.at_ms),
            "name": record.event,
            "details": record.details,
        }
        line: str | None = dumps(event)
    elif not _is_live(invocation) or is_terminal(invocation.stdout):
        return
    else:
        words = event_words(record.event, record.details)
        line = None if words is None else f"{clock(record.at_ms)}  {safe_text(words)}"
    if line is not None:
        invocation.stdout.write(f"{line}\n")
        invocation.stdout.flush()


def _is_live(invocation: "Invocation") -> bool:
    from resyncctl.cli.options import Output

    return invocation.output is Output.TABLE and not invocation.options.quiet
