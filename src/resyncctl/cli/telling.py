"""Tell the heartbeat and the metrics file how a run went. Neither ever changes the result.

Promises: figures are written also for a run that failed; what could not be told is a warning on
standard error. Called by `cli.cron`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from resyncctl.core.errors import ConfigurationError, ResyncError
from resyncctl.core.outcome import Outcome

if TYPE_CHECKING:
    from resyncctl.adapters.notify.heartbeat import Heartbeat
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.gate import GateReading


def heartbeat_of(invocation: "Invocation", url: str | None) -> "Heartbeat | None":
    """Return the heartbeat that the command line or the configuration names, None without one."""
    from resyncctl.cli.memory import redactor

    configured = invocation.configuration.heartbeat
    address = url or (configured.url if configured else None)
    if address is None:
        return None
    from resyncctl.adapters.notify.heartbeat import TIMEOUT_MS, Heartbeat

    return Heartbeat(
        address,
        invocation.run_id,
        redact=redactor(invocation),
        timeout_ms=configured.timeout_ms if configured else TIMEOUT_MS,
    )


def metrics_path(invocation: "Invocation", path: Path | None) -> Path | None:
    """Return the metrics file that the command line or the configuration names.

    Raises:
        ConfigurationError: The collector would not read a file of this name.
    """
    chosen = path or invocation.configuration.metrics_file
    if chosen is not None and chosen.suffix != ".prom":
        raise ConfigurationError(
            "the collector reads only files whose name ends in .prom",
            place=str(chosen),
            hint=f"call it {chosen.with_suffix('.prom').name}",
        )
    return chosen


async def ping_start(heartbeat: "Heartbeat | None", invocation: "Invocation") -> None:
    """Tell that the run has started."""
    if heartbeat is not None:
        _warn(invocation, await heartbeat.start())


async def ping_unconfigured(url: str | None, invocation: "Invocation", error: ResyncError) -> None:
    """Tell the address of the command line that the configuration cannot be used."""
    if url is None:
        return
    from resyncctl.adapters.notify.heartbeat import Heartbeat
    from resyncctl.cli.memory import redactor

    heartbeat = Heartbeat(url, invocation.run_id, redact=redactor(invocation))
    _warn(invocation, await heartbeat.finish(int(error.exit_code), error.message))


async def tell_end(
    heartbeat: "Heartbeat | None",
    metrics_file: Path | None,
    invocation: "Invocation",
    outcome: Outcome,
) -> None:
    """Tell how the run ended: figures into the store and the textfile, then the last ping."""
    from resyncctl.adapters.metrics.collect import collect
    from resyncctl.cli.memory import store

    memory = store(invocation)
    figures = collect(outcome, gates=_gates(invocation, outcome), store=memory)
    for one in figures:
        memory.add_metrics(one)
    if metrics_file is not None:
        from resyncctl.adapters.metrics.textfile import write_textfile

        try:
            _warn(invocation, write_textfile(metrics_file, figures))
        except ResyncError as error:
            _warn(invocation, error.message)
    if heartbeat is not None:
        _warn(invocation, await heartbeat.finish(int(outcome.exit_code), _body(outcome)))


def _gates(invocation: "Invocation", outcome: Outcome) -> "dict[str, GateReading]":
    from resyncctl.cli import wiring

    known = invocation.configuration.accounts
    return {
        account.account: wiring.gate_files(invocation, known[account.account]).read(account.account)
        for account in outcome.accounts
        if account.account in known
    }


def _body(outcome: Outcome) -> str:
    """Return what the health-check service keeps: one line per account."""
    from resyncctl.screen.nagios import summary

    lines = [f"run {outcome.run_id} exit {int(outcome.exit_code)} {outcome.exit_code.name}"]
    lines += [summary(account) for account in outcome.accounts]
    return "\n".join(lines)


def _warn(invocation: "Invocation", words: str | None) -> None:
    if words:
        invocation.warn(words)
