"""Watch an account for a while after it was resumed, and close its gate at the first new trouble.

Both sides are compared again and again. A difference counts when it survives a second look, because
the engine trades meanwhile. Promises: closing needs no lease, no evidence and no person; an account
that cannot be seen for longer than the bound is closed too; an interruption leaves the gate as it
is and says that nobody watches any more. Called by `resume`.
"""

from dataclasses import dataclass, replace

from resyncctl.core.discrepancy import Discrepancy, Severity, Verdict
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Scope
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.verdict import UNKNOWN_KINDS
from resyncctl.ports.powers import GateControl
from resyncctl.procedures.establish import Tools
from resyncctl.procedures.gate_step import move_record, reading_lines
from resyncctl.procedures.reconcile import ReconcileRequest, reconcile

PAUSE_MS = 15_000
BLIND_LOOKS_MAX = 3
"""After this many looks in a row that could not see everything the gate is closed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchWindow:
    """What is watched, and for how long."""

    account: str
    scopes: tuple[Scope, ...]
    symbols: tuple[str, ...]
    duration_ms: int


async def watch_window(
    window: WatchWindow, resumed: AccountOutcome, *, gate: GateControl, tools: Tools
) -> AccountOutcome:
    """Watch until the window ends, trouble shows, or the operator interrupts.

    Raises:
        RecordUnwritableError: Trouble showed, and not one copy of the gate could be closed.
    """
    watch = _Watch(window, resumed, gate, tools, tools.clock.monotonic_ms())
    until_ms = watch.began_ms + window.duration_ms
    blind = 0
    while not tools.interrupted() and (left_ms := until_ms - tools.clock.monotonic_ms()) > 0:
        tools.progress.say(
            window.account, "watch", "watching", looks=watch.looks, seconds_left=-(-left_ms // 1000)
        )
        if tools.gate.read(window.account).state is not GateState.RUNNING:
            return watch.ended("closed_elsewhere")
        seen = await _look(window, tools)
        watch.looks += 1
        blind = blind + 1 if isinstance(seen, str) else 0
        trouble = _trouble(seen, blind)
        if trouble is not None:
            return watch.close(trouble, () if isinstance(seen, str) else seen.findings)
        await _pause(min(PAUSE_MS, until_ms - tools.clock.monotonic_ms()), tools)
    over = tools.clock.monotonic_ms() >= until_ms
    return watch.ended("resumed" if over else "resumed_unwatched")


@dataclass(slots=True)
class _Watch:
    """One watch: what is watched, with what, since when, and how often was looked."""

    window: WatchWindow
    resumed: AccountOutcome
    gate: GateControl
    tools: Tools
    began_ms: int
    looks: int = 0

    def close(self, trouble: str, findings: tuple[Discrepancy, ...]) -> AccountOutcome:
        """Close the gate at once, and say why."""
        account, tools = self.window.account, self.tools
        reason = f"watch after the resume: {trouble}"
        tools.progress.say(account, "watch", f"CLOSING THE GATE: {trouble}")
        moved = self.gate.move(
            account,
            GateState.UNSAFE,
            reason=reason,
            by="watch",
            run_id=tools.journal.run_id,
            now_ms=tools.clock.now_ms(),
        )
        tools.journal.record("gate_closed", {"account": account, "reason": reason, "by": "watch"})
        ended = self.ended("closed_again")
        return replace(
            ended,
            findings=findings,
            actions=(*ended.actions, move_record(account, moved)),
            evidence={**ended.evidence, "trouble": [trouble], **reading_lines(moved)},
        )

    def ended(self, word: str) -> AccountOutcome:
        """Return the resume's outcome with how the watch ended."""
        account, tools = self.window.account, self.tools
        watched_ms = tools.clock.monotonic_ms() - self.began_ms
        well = word in {"resumed", "resumed_unwatched"}
        tools.journal.record(
            "watch_ended",
            {"account": account, "how": word, "looks": self.looks, "watched_ms": watched_ms},
        )
        return replace(
            self.resumed,
            status=word,
            exit_code=ExitCode.OK if well else ExitCode.BLOCKED,
            counts={**self.resumed.counts, "looks": self.looks},
            timings={**self.resumed.timings, "watched_ms": watched_ms},
            evidence={
                **self.resumed.evidence,
                **reading_lines(tools.gate.read(account)),
                "watched_ms": watched_ms,
                "nobody_watches": word == "resumed_unwatched",
            },
            next_step=None if word == "resumed" else _next(account, well=well),
        )


async def _look(window: WatchWindow, tools: Tools) -> AccountOutcome | str:
    """Compare once; return why nothing could be seen when that is so."""
    try:
        seen = await reconcile(
            ReconcileRequest(
                account=window.account,
                scopes=window.scopes,
                symbols=window.symbols,
                second_look=True,
            ),
            venue=tools.venue,
            engine=tools.engine,
            gate=tools.gate,
            journal=tools.journal,
            clock=tools.clock,
            progress=tools.progress,
            policy=tools.policy,
        )
    except ResyncError as error:
        return error.message
    if seen.verdict is Verdict.UNKNOWN and not _differences(seen):
        return "not everything could be seen"
    return seen


def _differences(seen: AccountOutcome) -> list[Discrepancy]:
    """Return what is really different; what could not be seen is counted in another way."""
    return [
        one
        for one in seen.findings
        if one.severity is not Severity.INFO and one.kind not in UNKNOWN_KINDS
    ]


def _trouble(seen: AccountOutcome | str, blind: int) -> str | None:
    if isinstance(seen, str):
        return f"{seen}, {blind} times in a row" if blind >= BLIND_LOOKS_MAX else None
    if seen.verdict is Verdict.CLEAN:
        return None
    found = _differences(seen)
    kinds = ", ".join(dict.fromkeys(finding.kind.value for finding in found))
    return f"{len(found)} new findings: {kinds}"


async def _pause(duration_ms: int, tools: Tools) -> None:
    until_ms = tools.clock.monotonic_ms() + duration_ms
    while not tools.interrupted() and (left_ms := until_ms - tools.clock.monotonic_ms()) > 0:
        await tools.clock.sleep_ms(min(1_000, left_ms))


def _next(account: str, *, well: bool) -> str:
    if well:
        return f"resyncctl reconcile {account} --every 30s"
    return f"resyncctl resync {account} --reason 'trouble after the resume'"
