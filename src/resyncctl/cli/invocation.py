"""One invocation of a command: what it was asked, with the world that it was handed.

Promises: the configuration is read once and only when a command needs it; the flag of an
interruption lives here, so that procedures can be asked to start nothing new. Made by `cli.app`,
handed to every job.
"""

import getpass
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from resyncctl.cli.options import Output, Shared
from resyncctl.core.errors import ResyncError, UsageError
from resyncctl.core.exit_codes import ExitCode, combine
from resyncctl.core.outcome import AccountOutcome, Outcome

if TYPE_CHECKING:
    from resyncctl.cli.kept_progress import EndingProgress
    from resyncctl.ports.views import Clock, Journal
    from resyncctl.screen.prompts import TerminalPrompter
    from resyncctl.settings.specs import AccountSpec, Configuration, Contact


@dataclass(slots=True)
class Interruption:
    """How often, and by what, the operator or the system asked this run to stop."""

    signals: list[int] = field(default_factory=list)

    def asked(self) -> bool:
        """Whether nothing new may be started."""
        return bool(self.signals)


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One run of one command."""

    command: str
    options: Shared
    clock: "Clock"
    run_id: str
    started_at_ms: int
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    interruption: Interruption = field(default_factory=Interruption)
    ending: list[Callable[[Outcome], None]] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)
    shelf: dict[str, Any] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list, repr=False)
    _configuration: "Configuration | None" = None
    _progress: "EndingProgress | None" = None

    @property
    def configuration(self) -> "Configuration":
        """The configuration, read at the first use.

        Raises:
            ConfigurationError: It cannot be used as it stands.
        """
        if self._configuration is None:
            from resyncctl.settings.load import load

            self._configuration = load(self.configuration_path, self.environ)
        return self._configuration

    @property
    def known_configuration(self) -> "Configuration | None":
        """The configuration if it was read already; asking for it never fails."""
        return self._configuration

    @property
    def configuration_path(self) -> Path:
        """The configuration file that this run uses."""
        from resyncctl.settings.paths import configuration_file

        return self.options.config or configuration_file(self.environ)

    @property
    def output(self) -> Output:
        """The form in which the result is printed."""
        return self.options.output or Output.TABLE

    @property
    def progress(self) -> "EndingProgress":
        """Where a procedure tells what it is doing."""
        if self._progress is None:
            self._progress = self._make_progress()
        return self._progress

    @property
    def prompter(self) -> "TerminalPrompter":
        """Who asks the operator."""
        from resyncctl.screen.prompts import TerminalPrompter

        return TerminalPrompter(may_ask=not self.options.no_input)

    @property
    def operator(self) -> str:
        """Who runs this, for the records: user and host."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        return f"{user}@{socket.gethostname()}"

    def accounts(self, names: Sequence[str]) -> "tuple[AccountSpec, ...]":
        """Return the accounts that are meant: the named ones, or all.

        Raises:
            UsageError: A name is not configured, or no account is configured at all.
        """
        known = self.configuration.accounts
        if not known:
            raise UsageError(
                "no account is configured",
                place=str(self.configuration.path),
                hint="run `resyncctl init`, or add an [accounts.NAME] table",
            )
        for name in names:
            if name not in known:
                raise UsageError(
                    f"there is no account `{name}`",
                    place=str(self.configuration.path),
                    hint=f"configured accounts: {', '.join(known)}",
                )
        chosen = dict.fromkeys(names) if names else known
        return tuple(known[name] for name in chosen)

    def outcome(
        self,
        accounts: Sequence[AccountOutcome] = (),
        *,
        data: Mapping[str, object] | None = None,
        exit_code: ExitCode | None = None,
    ) -> Outcome:
        """Return the outcome of this run, its exit code combined from the accounts'."""
        mutated = any(
            action.verb.startswith(("cancel", "reduce")) and action.attempts
            for account in accounts
            for action in account.actions
        )
        code = combine((account.exit_code for account in accounts), mutated=mutated)
        if exit_code is not None:
            code = exit_code
        told = dict(data or {})
        if code in _CALLS_FOR_HELP and self._configuration and self._configuration.contacts:
            told["call"] = _contacts(self._configuration.contacts, code)
        return Outcome(
            command=self.command,
            run_id=self.run_id,
            started_at_ms=self.started_at_ms,
            finished_at_ms=self.clock.now_ms(),
            exit_code=code,
            accounts=tuple(accounts),
            data=told,
        )

    def announce(self) -> None:
        """Say which run this is, before anything slow is done."""
        self.progress.say(self.command, "run", f"run {self.run_id}")

    def warn(self, words: str) -> None:
        """Tell the operator something that does not change the result."""
        logging.getLogger("resyncctl").warning("%s", words)

    def renewed(self) -> "Invocation":
        """Return an invocation of the same command for its next run, with a run id of its own."""
        from resyncctl.adapters.store.run_ids import new_run_id

        now_ms = self.clock.now_ms()
        return replace(
            self,
            run_id=new_run_id(self.command, now_ms),
            started_at_ms=now_ms,
            ending=[],
            closing=[],
            shelf={},
        )

    def finish(self, outcome: Outcome) -> None:
        """Write down how the run ended, then let go of everything that it opened.

        A record that cannot be written any more does not change what was done before it.
        """
        for end in self.ending:
            try:
                end(outcome)
            except ResyncError as error:
                self.warn(f"the end of this run could not be recorded: {error.message}")
        self.ending.clear()
        while self.closing:
            self.closing.pop()()

    def keep_progress(self, journal: "Journal", durable: Callable[[], bool]) -> None:
        """From now on keep what is told in the run's journal too, for whoever watches the run.

        `durable` answers whether the journal goes to a disk at this moment.
        """
        from resyncctl.cli.kept_progress import KeptProgress

        self._progress = KeptProgress(self.progress, journal, self.clock, durable)

    def _make_progress(self) -> "EndingProgress":
        from resyncctl.screen.progress import JsonProgress, LineProgress, SilentProgress

        if self.output is Output.JSONL:
            return JsonProgress(self.stdout, self.clock.now_ms, self.run_id)
        if self.options.quiet or self.output is Output.NAGIOS:
            return SilentProgress()
        encoding = (getattr(self.stderr, "encoding", "") or "").lower()
        return LineProgress(stream=self.stderr, unicode=encoding.startswith("utf"))


_CALLS_FOR_HELP: dict[ExitCode, str] = {
    ExitCode.DISCREPANCIES: "minor",
    ExitCode.INCOMPLETE: "minor",
    ExitCode.PARTIAL: "major",
    ExitCode.BLOCKED: "major",
    ExitCode.RESIDUAL: "critical",
    ExitCode.INTERNAL: "critical",
}
"""How grave an ending is, in the words of `[contacts]`."""
_GRAVITY = ("minor", "major", "critical")


def _contacts(contacts: "Sequence[Contact]", code: ExitCode) -> str:
    """Return whom to call for an ending of this gravity, in the order of the configuration."""
    gravity = _GRAVITY.index(_CALLS_FOR_HELP[code])
    return "; ".join(
        f"{one.role}: {one.name}, {one.reach}"
        for one in contacts
        if _GRAVITY.index(one.severity) <= gravity
    )
