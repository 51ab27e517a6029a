"""Build what tells whether the engine of an account still sends.

Promises: what is not configured is UNPROVED with words about what to do; a view is made once for
each run, because it must remember when it first saw that a process was gone. Called by wiring.
"""

from typing import TYPE_CHECKING

from resyncctl.ports.views import SilenceView

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.settings.specs import AccountSpec, EngineSpec


def make(invocation: "Invocation", spec: "AccountSpec") -> SilenceView:
    """Return what observes the engine of the account, as the configuration says."""
    from resyncctl.adapters.engine.silence import AcknowledgedSilence, UnobservedSilence

    engine = invocation.configuration.engine_of(spec.name)
    if engine is None:
        return UnobservedSilence(
            "no engine is configured for this account, so none can be observed"
        )
    source = engine.silence
    if source.kind == "acknowledgement" and engine.gate_file is not None:
        return AcknowledgedSilence(engine.gate_file, fresh_ms=source.fresh_ms)
    if source.kind == "process":
        return _process(invocation, engine)
    if source.kind == "systemd":
        from resyncctl.adapters.engine.silence_systemd import UnitSilence

        return UnitSilence(source.unit, user=source.user, timeout_ms=source.timeout_ms)
    return UnobservedSilence(
        f"nothing observes the engine {engine.name}: set engines.{engine.name}.silence, or say by"
        " name that it is stopped"
    )


def _process(invocation: "Invocation", engine: "EngineSpec") -> SilenceView:
    from resyncctl.adapters.engine.silence_process import MatchedSilence, PidFileSilence
    from resyncctl.adapters.store.places import safe_name

    source = engine.silence
    if source.pid_file is not None:
        return PidFileSilence(source.pid_file)
    folder = invocation.configuration.state_dir / "engines"
    return MatchedSilence(source.match, seen_file=folder / f"{safe_name(engine.name)}.seen")
