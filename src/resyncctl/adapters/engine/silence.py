"""Whether the engine has acknowledged, in the sdk's file, that it does not send.

Promises: never raises; only an acknowledgement that is whole, young, and about the very move of the
gate that stands proves anything. Everything else (no file, corrupt, another account's, about an
older move, from the future, too old, an open gate, a gate that cannot be trusted) is UNPROVED with
the reason and what to do about it. Called by `cli.wiring_silence`, asked by the protocol again and
again while an account is made safe.
"""

from pathlib import Path

from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.sdk.acknowledgement import (
    Acknowledgement,
    acknowledgement_file,
    read_acknowledgement,
)
from resyncctl.sdk.errors import FormatError
from resyncctl.sdk.gate import read_gate

FRESH_MS = 60_000
RUNS = "the engine runs"
"""How the reason begins when the engine was seen to be alive, which is no trouble by itself."""
_CLOCK_SLACK_MS = 2_000
"""The engine runs on this host or shares its files; two clocks may differ by a little."""


def unproved(how: str) -> Silence:
    """Return that nothing is known about the engine's sending, with the reason."""
    return Silence(kind=SilenceKind.UNPROVED, how=how)


def proved(how: str, since_ms: int) -> Silence:
    """Return that the engine was seen to have sent nothing since then."""
    return Silence(kind=SilenceKind.PROVED, how=how, since_ms=since_ms)


class UnobservedSilence:
    """Implements `ports.views.SilenceView` where nothing was configured to look at."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Return UNPROVED: nobody looks."""
        del account, gate, now_ms
        return unproved(self._reason)


class AcknowledgedSilence:
    """Implements `ports.views.SilenceView` over the file that `resyncctl.sdk` writes."""

    def __init__(self, gate_file: Path, *, fresh_ms: int = FRESH_MS) -> None:
        self._gate_file = gate_file
        self._fresh_ms = fresh_ms

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Read the engine's copy of the gate, then what it acknowledged. Never raises."""
        if not gate.trusted or gate.state is GateState.RUNNING:
            return unproved(
                f"the gate is {_stands(gate)}, so the engine has nothing to acknowledge"
            )
        # The engine speaks of the copy that it reads; that copy counts its own moves.
        engine_gate = read_gate(self._gate_file, account)
        if not engine_gate.trusted or engine_gate.permits_orders:
            return unproved(f"the engine's own gate file does not say closed: {engine_gate.reason}")
        try:
            found = read_acknowledgement(self._gate_file, account)
        except FileNotFoundError:
            return unproved(
                "the engine has not acknowledged that the gate is closed: there is no"
                f" {acknowledgement_file(self._gate_file)}"
            )
        except (OSError, FormatError, ValueError) as trouble:
            return unproved(f"what the engine acknowledged cannot be believed: {trouble}")
        if not found.is_about(engine_gate):
            return unproved(
                "the engine has not yet acknowledged this move of the gate: it speaks of move"
                f" {found.gate_sequence}, the gate stands at {engine_gate.sequence}"
            )
        return self._judge(found, now_ms)

    def _judge(self, found: Acknowledgement, now_ms: int) -> Silence:
        """Given an acknowledgement of this very move, say whether its times hold together."""
        age_ms = now_ms - found.acknowledged_ms
        if age_ms > self._fresh_ms:
            return unproved(
                f"the engine acknowledged {age_ms // 1000} s ago and not since; it may have ended"
                " or hang"
            )
        since_ms = max(found.quiet_since_ms, found.gate_since_ms)
        if age_ms < -_CLOCK_SLACK_MS or since_ms > found.acknowledged_ms + _CLOCK_SLACK_MS:
            return unproved(
                "the times in the engine's acknowledgement contradict this host's clock"
            )
        end_ms = found.requests_end_ms or 0
        if end_ms > now_ms:
            return unproved(
                "the engine is quiet, but its last request can still take effect for"
                f" {(end_ms - now_ms + 999) // 1000} s"
            )
        return proved(
            f"the engine {found.engine} (process {found.pid}) acknowledged the closed gate"
            f" {max(0, age_ms) // 1000} s ago",
            max(since_ms, end_ms),
        )


def _stands(gate: GateReading) -> str:
    return gate.state.value if gate.trusted else "not to be trusted"
