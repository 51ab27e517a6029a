"""A person, a gate and a lease for procedures under test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resyncctl.core.errors import LockedError, NoTerminalError, RecordUnwritableError, RefusedError
from resyncctl.core.gate import ALLOWED_MOVES, GateReading, GateState
from resyncctl.ports.powers import GateControl, HeldBy, Lease, LeaseControl, TakenLease
from resyncctl.ports.prompts import Prompter
from resyncctl.ports.views import GateView


@dataclass(slots=True)
class ScriptedPrompter:
    """Answers questions from a script: (part of the question, answer). Anything else fails."""

    script: list[tuple[str, object]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def confirm(self, question: str, *, flag: str, default: bool = False) -> bool:
        return bool(self._answer(question, flag))

    async def choose(
        self, question: str, options: Sequence[tuple[str, str]], *, default: str, flag: str
    ) -> str:
        answer = str(self._answer(question, flag))
        assert answer in {key for key, _ in options}
        return answer

    async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
        return self._answer(question, flag) == expected

    def _answer(self, question: str, flag: str) -> object:
        self.asked.append(question)
        if not self.script:
            raise NoTerminalError(f"nobody can be asked: {question}", hint=f"Pass {flag}.")
        part, answer = self.script.pop(0)
        assert part in question, question
        return answer


@dataclass(slots=True)
class MemoryGate:
    """Implements `GateControl` and `GateView` in memory. `broken` makes every write fail."""

    state: GateState = GateState.RUNNING
    since_ms: int | None = 0
    trusted: bool = True
    broken: bool = False
    moves: list[tuple[GateState, str]] = field(default_factory=list)

    def read(self, account: str) -> GateReading:
        return GateReading(
            account=account,
            state=self.state if self.trusted else GateState.UNSAFE,
            reason=self.moves[-1][1] if self.moves else "",
            since_ms=self.since_ms,
            by="test",
            sequence=len(self.moves),
            trusted=self.trusted,
        )

    def move(
        self,
        account: str,
        to: GateState,
        *,
        reason: str,
        by: str,
        run_id: str,
        now_ms: int,
        evidence: Mapping[str, object] | None = None,
    ) -> GateReading:
        if self.broken:
            raise RecordUnwritableError("the gate file cannot be written")
        if (self.state, to) not in ALLOWED_MOVES or (to is not GateState.UNSAFE and not evidence):
            raise RefusedError(f"{self.state} -> {to} is not allowed")
        self.state, self.since_ms, self.trusted = to, now_ms, True
        self.moves.append((to, reason))
        return self.read(account)


@dataclass(slots=True)
class MemoryLeases:
    """Implements `LeaseControl` in memory.

    `held_by_run` locks it, with `ends_ms` as the end of that run's lease; `yields` lets that run go
    as soon as it is asked with a reason. `lost_at_renewal` and `lost` lose our lease in the middle.
    """

    held_by_run: str | None = None
    ends_ms: int = 0
    yields: bool = True
    lost_at_renewal: bool = False
    lost: str | None = None
    lifetime_ms: int = 30_000
    token: int = 0
    released: int = 0
    asks: list[tuple[str, str | None]] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        if self.held_by_run is not None:
            raise LockedError(f"account {account} is held by run {self.held_by_run}")
        self.token += 1
        return Lease(account, holder, self.token, now_ms + self.lifetime_ms)

    def check(self, lease: Lease, now_ms: int) -> None:
        if self.lost is not None:
            raise LockedError(f"the lease of account {lease.account} was lost: {self.lost}")

    def renew(self, lease: Lease, now_ms: int, needed_ms: int = 0) -> Lease:
        if self.lost_at_renewal:
            raise LockedError(f"the lease of {lease.account} was lost")
        return Lease(lease.account, lease.holder, lease.fencing_token, now_ms + self.lifetime_ms)

    def release(self, lease: Lease) -> None:
        self.released += 1

    def held_by(self, account: str, now_ms: int) -> HeldBy | None:
        if self.held_by_run is None:
            return None
        return HeldBy(
            run_id=self.held_by_run,
            who=f"run {self.held_by_run}",
            fencing_token=self.token,
            expires_ms=self.ends_ms,
        )

    def ask(self, account: str, by: str, now_ms: int, *, reason: str | None) -> bool:
        self.asks.append((by, reason))
        if reason is not None and self.yields:
            self.held_by_run = None
        return True

    def asked(self, lease: Lease) -> tuple[str, ...]:
        return tuple(f"run {by}" for by, _ in self.asks)

    def take(
        self, account: str, holder: str, now_ms: int, *, from_token: int, reason: str
    ) -> TakenLease:
        assert from_token == self.token
        if now_ms < self.ends_ms:
            raise LockedError("its lease still runs")
        self.taken.append((holder, reason))
        self.held_by_run = None
        return TakenLease(self.acquire(account, holder, now_ms), self.ends_ms)


_prompter: type[Prompter] = ScriptedPrompter
_control: type[GateControl] = MemoryGate
_view: type[GateView] = MemoryGate
_leases: type[LeaseControl] = MemoryLeases
