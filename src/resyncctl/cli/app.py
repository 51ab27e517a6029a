"""The one way in and the one way out: parse, run, render, exit.

Promises: the only broad `except` and the only event loop of the program are here. Whatever happens,
the operator gets one clear message or one JSON document and a documented exit code; an exception
that nobody expected ends with 1, its traceback is written into a file and never shown. Called by
`resyncctl.__main__` and by tests.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

import typer
from typer.exceptions import TyperException

from resyncctl.cli import commands, options
from resyncctl.cli.job import Job
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode, nagios_code

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome

_STOPPING = {
    1: "stopping: what is under way is finished and checked; the gate stays UNSAFE."
    " Once more stops without checking.",
    2: "stopped without checking: what became of the last requests is not known.",
}


def run() -> None:
    """Run the command line of this process and exit."""
    sys.exit(main(sys.argv[1:], stdout=sys.stdout, stderr=sys.stderr))


def main(argv: Sequence[str], *, stdout: TextIO, stderr: TextIO) -> int:
    """Run the command line and return the exit code."""
    try:
        return _main(argv, stdout, stderr)
    except BrokenPipeError:
        # The reader of a help text has gone; there is nobody left to tell.
        _forget(stdout)
        return int(ExitCode.INTERNAL)


def _forget(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that the interpreter's end does not complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _main(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    application = commands.application()
    try:
        parsed = application(args=list(argv), standalone_mode=False, prog_name="resyncctl")
    except TyperException as error:
        return _usage(error, argv, stdout, stderr)
    except (KeyboardInterrupt, typer.Abort):
        return int(ExitCode.INT)
    if not isinstance(parsed, Job):
        return parsed if isinstance(parsed, int) else int(ExitCode.OK)
    invocation = _invocation(parsed, stdout, stderr)
    return _perform(parsed, invocation)


def _perform(job: Job, invocation: "Invocation") -> int:
    from resyncctl.cli.logs import start_logging

    opts = invocation.options
    broken_off = False
    log = start_logging(invocation.stderr, opts.log_format, opts.verbose or 0, quiet=opts.quiet)
    try:
        # What a library prints must not end up in the middle of a result.
        with contextlib.redirect_stdout(invocation.stderr):
            outcome = asyncio.run(_supervise(job, invocation))
    except ResyncError as error:
        outcome = _failed(invocation, error.exit_code, error)
    except KeyboardInterrupt:
        outcome = _failed(invocation, ExitCode.INT, None)
    except asyncio.CancelledError:
        outcome = _failed(invocation, _signal_code(invocation), None)
        broken_off = True
    except Exception as error:  # noqa: BLE001  # the last net: nothing may end as a traceback
        log.critical("unexpected failure: %s", type(error).__name__)
        outcome = _failed(invocation, ExitCode.INTERNAL, error)
        broken_off = True
    invocation.progress.finish()
    if broken_off and job.mutates:
        # A run that was broken off stays unfinished in its journal, so that `status` shows it and
        # the next run takes care of what may still be under way.
        invocation.ending.clear()
    invocation.finish(outcome)
    return _deliver(job, outcome, invocation)


async def _supervise(job: Job, invocation: "Invocation") -> "Outcome":
    """Run the job under the signals' rules."""
    task = asyncio.ensure_future(_as_coroutine(job, invocation))
    _listen(task, job, invocation)
    outcome = await task
    if invocation.interruption.asked() and outcome.exit_code is ExitCode.RESIDUAL:
        # The accounts keep their own answer; the command as a whole was interrupted.
        return replace(outcome, exit_code=_signal_code(invocation))
    return outcome


async def _as_coroutine(job: Job, invocation: "Invocation") -> "Outcome":
    return await job.run(invocation)


def _listen(task: "asyncio.Future[Outcome]", job: Job, invocation: "Invocation") -> None:
    """First INT or TERM: start nothing new. Second: stop now. A hang-up ends nothing."""
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        invocation.interruption.signals.append(number)
        count = len(invocation.interruption.signals)
        if job.mutates:
            with contextlib.suppress(OSError, ValueError):
                invocation.progress.finish()
                invocation.stderr.write(f"\n{_STOPPING[min(count, 2)]}\n")
                invocation.stderr.flush()
        if count > 1 or not job.mutates:
            task.cancel()

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        # Signals can only be listened to in the main thread of a process.
        loop.add_signal_handler(signal.SIGINT, stop, int(signal.SIGINT))
        loop.add_signal_handler(signal.SIGTERM, stop, int(signal.SIGTERM))
        loop.add_signal_handler(signal.SIGHUP, lambda: None)


def _signal_code(invocation: "Invocation") -> ExitCode:
    last = invocation.interruption.signals[-1:] or [int(signal.SIGINT)]
    return ExitCode.TERM if last == [int(signal.SIGTERM)] else ExitCode.INT


def _invocation(job: Job, stdout: TextIO, stderr: TextIO) -> "Invocation":
    from resyncctl.adapters.clock import SystemClock
    from resyncctl.adapters.store.run_ids import new_run_id
    from resyncctl.cli.invocation import Invocation

    clock = SystemClock()
    now_ms = clock.now_ms()
    return Invocation(
        command=job.name,
        options=job.options or options.Shared(),
        clock=clock,
        run_id=new_run_id(job.name, now_ms),
        started_at_ms=now_ms,
        stdout=stdout,
        stderr=stderr,
    )


def _failed(invocation: "Invocation", code: ExitCode, error: BaseException | None) -> "Outcome":
    from resyncctl.cli import crash
    from resyncctl.core.outcome import OutcomeError

    if isinstance(error, ResyncError):
        told = OutcomeError(
            kind=error.kind, message=error.message, hint=error.hint, place=error.place
        )
    elif error is None:
        resume = "run the same command again; `resyncctl status` shows what is unfinished"
        told = OutcomeError(kind="interrupted", message="interrupted", hint=resume)
    else:
        told = OutcomeError(
            kind="internal",
            message=f"a fault in resyncctl itself ({type(error).__name__}); "
            "treat the account as UNSAFE",
            hint=f"the details are in {crash.write_down(invocation, error)}; please report it",
        )
    return replace(invocation.outcome(exit_code=code), error=told)


def _deliver(job: Job, outcome: "Outcome", invocation: "Invocation") -> int:
    """Print the outcome and return the exit code of the process."""
    from resyncctl.cli.printing import print_outcome

    try:
        if not (job.prints_itself and outcome.error is None):
            print_outcome(outcome, invocation)
    except OSError:
        # A pipe or a terminal that went away changes nothing in what was done.
        _forget(invocation.stdout)
        _forget(invocation.stderr)
    nagios = invocation.output is options.Output.NAGIOS
    return nagios_code(outcome.exit_code) if nagios else int(outcome.exit_code)


def _usage(error: TyperException, argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Tell what is wrong with the arguments: as Typer does, or as a JSON document."""
    from resyncctl.core.errors import UsageError

    seen = options.glimpse(argv)
    if seen.output in {None, options.Output.TABLE}:
        _show_usage(error, stderr)
        return int(ExitCode.USAGE)
    words = _verb_of(error)
    job = Job(name="-".join(words) or "usage", run=_never, options=seen)
    invocation = _invocation(job, stdout, stderr)
    told = UsageError(error.format_message(), hint=" ".join(("resyncctl", *words, "--help")))
    return _deliver(job, _failed(invocation, ExitCode.USAGE, told), invocation)


def _verb_of(error: TyperException) -> tuple[str, ...]:
    """Return the words of the command whose arguments are wrong; none when no verb was known."""
    context = getattr(error, "ctx", None)
    words: list[str] = []
    while context is not None and context.parent is not None:
        words.insert(0, str(context.info_name))
        context = context.parent
    is_verb = not hasattr(getattr(getattr(error, "ctx", None), "command", None), "commands")
    return tuple(words) if is_verb else ()


def _show_usage(error: TyperException, stderr: TextIO) -> None:
    show = getattr(error, "show", None)
    if callable(show):
        show(file=stderr)
    else:
        stderr.write(f"Error: {error.format_message()}\n")


def _never(invocation: "Invocation") -> "Coroutine[None, None, Outcome]":
    raise UsageNeverRuns(invocation.command)


class UsageNeverRuns(Exception):  # noqa: N818  # it says what it is
    """A job that only carries a usage error was run."""
