"""The word of a named person that the engine is stopped, where nothing can observe it.

Promises: the word is in the journal with the name and the moment before it is used; it never
outweighs what is observed: an engine that is seen to run stays unproved. Called by `verify` and
`resync` for `--engine-stopped`.
"""

from typing import TYPE_CHECKING

from resyncctl.core.gate import GateReading
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.ports.views import Journal, SilenceView

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.settings.specs import AccountSpec


class AttestedSilence:
    """Implements `ports.views.SilenceView` with somebody's word, next to what is observed."""

    def __init__(self, observed: SilenceView, *, by: str, at_ms: int, runs: str) -> None:
        self._observed = observed
        self._by = by
        self._at_ms = at_ms
        self._runs = runs

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Return what is observed when that proves something, else the word of the person."""
        seen = self._observed.observe(account, gate, now_ms)
        if seen.proved:
            return seen
        if seen.how.startswith(self._runs):
            return Silence(
                kind=SilenceKind.UNPROVED,
                how=f"{self._by} says that the engine is stopped, but {seen.how}",
            )
        return Silence(
            kind=SilenceKind.ATTESTED,
            how=f"{self._by} says that the engine is stopped",
            since_ms=self._at_ms,
        )


def silence(
    invocation: "Invocation", spec: "AccountSpec", journal: Journal, *, stopped: bool
) -> SilenceView:
    """Return what tells whether the engine sends; with the operator's word when it was given."""
    from resyncctl.adapters.engine.silence import RUNS
    from resyncctl.cli import wiring

    observed = wiring.silence_of(invocation, spec)
    if not stopped:
        return observed
    at_ms = invocation.clock.now_ms()
    journal.record(
        "engine_stopped_attested",
        {"account": spec.name, "by": invocation.operator, "at_ms": at_ms},
    )
    return AttestedSilence(observed, by=invocation.operator, at_ms=at_ms, runs=RUNS)


_view: type[SilenceView] = AttestedSilence
