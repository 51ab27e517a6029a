"""The probes of `doctor`: each looks at one thing and says what it saw. None of them changes it.

Promises: a probe that could not look says so (`unknown`) and is never counted as fine; no probe
shows a secret. Called by the `doctor` verb.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.snapshot import EngineSnapshot, Known, Section, Unknown

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.ports.views import VenueProfile, VenueView
    from resyncctl.settings.specs import AccountSpec

_FREE_BYTES_LEAST = 64 * 1024 * 1024
_DANGEROUS_WORDS = ("withdraw",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one probe saw. `code` is the exit code that its failure calls for."""

    name: str
    state: str
    detail: str
    hint: str | None = None
    code: ExitCode = ExitCode.OK

    def as_data(self) -> dict[str, object]:
        """Return the probe as the document shows it."""
        return {
            "probe": self.name,
            "state": self.state,
            "detail": self.detail,
            "hint": self.hint,
        }


def code_of(probes: Iterable[Probe]) -> ExitCode:
    """Return the code of what is most in the way; INCOMPLETE for what could not be checked."""
    codes = {probe.code for probe in probes if probe.state in {"fail", "unknown"}}
    return min(codes, key=_IN_THE_WAY.index, default=ExitCode.OK)


_IN_THE_WAY = (
    ExitCode.CONFIG,
    ExitCode.NOPERM,
    ExitCode.UNAVAILABLE,
    ExitCode.TEMPFAIL,
    ExitCode.IOERR,
    ExitCode.DATAERR,
    *(code for code in ExitCode if code not in {ExitCode.INCOMPLETE, ExitCode.OK}),
    ExitCode.INCOMPLETE,
    ExitCode.OK,
)
"""What has to be put right first."""


def worse_of(first: ExitCode, second: ExitCode) -> ExitCode:
    """Return the code of a whole made of two parts, neither of which changed anything."""
    if ExitCode.OK in {first, second}:
        return second if first is ExitCode.OK else first
    return first if first is second else ExitCode.INCOMPLETE


def installation(invocation: "Invocation") -> list[Probe]:
    """Look at what every account shares: configuration, records, store."""
    from resyncctl import __version__

    configuration = invocation.configuration
    found = [
        Probe(
            name="program",
            state="ok",
            detail=f"resyncctl {__version__}, Python {sys.version.split()[0]}",
        ),
        Probe(name="configuration", state="ok", detail=str(configuration.path)),
    ]
    found += [
        Probe(name="configuration", state="warn", detail=words) for words in configuration.warnings
    ]
    found.append(_records(invocation))
    found.append(_store(invocation))
    return found


def _records(invocation: "Invocation") -> Probe:
    """Write, flush and remove a file where journals go, and look at the room that is left."""
    folder = invocation.configuration.state_dir
    scratch = folder / f".doctor.{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with scratch.open("xb") as file:
            file.write(b"resyncctl doctor\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as trouble:
        return Probe(
            name="records",
            state="fail",
            detail=f"{folder} cannot be written: {trouble.strerror}",
            hint="set state_dir to a folder that this user may write",
            code=ExitCode.IOERR,
        )
    if free < _FREE_BYTES_LEAST:
        return Probe(
            name="records",
            state="warn",
            detail=f"{folder}: only {free // 1024 // 1024} MiB are free",
            hint="a full disk ends every journal",
        )
    return Probe(name="records", state="ok", detail=f"{folder} can be written durably")


def _store(invocation: "Invocation") -> Probe:
    from resyncctl.cli import memory

    trouble = memory.store(invocation).trouble
    if trouble:
        return Probe(
            name="store",
            state="warn",
            detail="; ".join(trouble),
            hint="cancel-all and gate close work without the store; gate open does not",
        )
    return Probe(name="store", state="ok", detail="the store can be read and written")


async def account(
    invocation: "Invocation", spec: "AccountSpec", *, offline: bool
) -> AccountOutcome:
    """Look at one account: key, gate, engine, exchange."""
    found = [_gate(invocation, spec), *_engine(invocation, spec), *_silence(invocation, spec)]
    if not offline:
        found += await _exchange(invocation, spec)
    code = code_of(found)
    states = {probe.state for probe in found}
    word = next((word for word in ("fail", "unknown", "warn") if word in states), "ok")
    return AccountOutcome(
        account=spec.name,
        status=word,
        exit_code=code,
        data={"probes": [probe.as_data() for probe in found]},
    )


def _gate(invocation: "Invocation", spec: "AccountSpec") -> Probe:
    from resyncctl.cli import wiring

    reading = wiring.gate_files(invocation, spec).read(spec.name)
    if not reading.trusted:
        return Probe(
            name="gate",
            state="warn",
            detail=f"UNSAFE: {reading.reason}",
            hint=f"resyncctl gate close {spec.name} writes a good one",
        )
    return Probe(name="gate", state="ok", detail=f"{reading.state.value}: {reading.reason}")


def _engine(invocation: "Invocation", spec: "AccountSpec") -> Iterator[Probe]:
    from resyncctl.cli import wiring

    engine = invocation.configuration.engine_of(spec.name)
    if engine is None:
        yield Probe(
            name="engine",
            state="warn",
            detail="no engine is configured, so there is nothing to compare with",
        )
        return
    snapshot = wiring.engine_view(invocation, spec).read(spec.name, invocation.clock.now_ms())
    for kind, reason in snapshot.trouble:
        corrupt = kind == "CHECKPOINT_CORRUPT"
        yield Probe(
            name="engine state",
            state="fail" if corrupt else "unknown",
            detail=f"{kind}: {reason}",
            hint="the engine must write its checkpoint; docs/how-to tells how",
            code=ExitCode.DATAERR if corrupt else ExitCode.INCOMPLETE,
        )
    unread = [
        f"{name}: {section.reason}"
        for name, section in _sections(snapshot)
        if isinstance(section, Unknown)
    ]
    if unread and not snapshot.trouble:
        yield Probe(
            name="engine state",
            state="unknown",
            detail="; ".join(unread),
            hint="the engine must write a checkpoint, see docs/how-to",
            code=ExitCode.INCOMPLETE,
        )
    elif not snapshot.trouble:
        age_s = max(0, invocation.clock.now_ms() - snapshot.as_of_ms) // 1000
        yield Probe(
            name="engine state",
            state="ok",
            detail=f"{snapshot.source.place}, {age_s} s old, generation {snapshot.sequence}",
        )


def _silence(invocation: "Invocation", spec: "AccountSpec") -> Iterator[Probe]:
    """Look whether the engine sends. Silence behind an open gate is nothing to ask for."""
    from resyncctl.adapters.engine.silence import RUNS
    from resyncctl.cli import wiring

    engine = invocation.configuration.engine_of(spec.name)
    if engine is None:
        return
    if engine.silence.kind == "none":
        yield Probe(
            name="engine silence",
            state="warn",
            detail="nothing observes whether the engine sends, so SAFE needs a person's word",
            hint=f"set engines.{engine.name}.silence, see docs/configuration.md",
        )
        return
    gate = wiring.gate_files(invocation, spec).read(spec.name)
    seen = wiring.silence_of(invocation, spec).observe(spec.name, gate, invocation.clock.now_ms())
    trading = gate.state is GateState.RUNNING and engine.silence.kind == "acknowledgement"
    yield Probe(
        name="engine silence",
        state="ok" if seen.proved or trading or seen.how.startswith(RUNS) else "warn",
        detail=f"{seen.kind.value} ({engine.silence.describe()}): {seen.how}",
    )


def _sections(snapshot: EngineSnapshot) -> Sequence[tuple[str, Section[Any]]]:
    return (
        ("orders", snapshot.orders),
        ("fills", snapshot.fills),
        ("positions", snapshot.positions),
        ("balances", snapshot.balances),
    )


async def _exchange(invocation: "Invocation", spec: "AccountSpec") -> list[Probe]:
    """Reach the exchange as a real run would; each refusal keeps its own exit code."""
    from resyncctl.cli import wiring

    found: list[Probe] = []
    try:
        async with wiring.open_venue(invocation, spec) as venue:
            found.append(
                Probe(name="key", state="ok", detail=spec.credentials.describe() + " can be read")
            )
            found += await _first_contact(invocation, venue.view)
            found += await _listings(venue.view)
    except ResyncError as error:
        found.append(
            Probe(
                name=error.kind.replace("_", " "),
                state="fail",
                detail=error.message,
                hint=error.hint,
                code=error.exit_code,
            )
        )
    return found


async def _first_contact(invocation: "Invocation", view: "VenueView") -> list[Probe]:
    found: list[Probe] = []
    began_ms = invocation.clock.monotonic_ms()
    reading = await view.measure_clock()
    latency_ms = invocation.clock.monotonic_ms() - began_ms
    if isinstance(reading, Unknown):
        found.append(_unknown("clock", reading.reason))
    else:
        limit_ms = invocation.configuration.policy_of(view.account).clock_skew_warn_ms
        far = abs(reading.offset_ms) > limit_ms
        found.append(
            Probe(
                name="clock",
                state="warn" if far else "ok",
                detail=f"{reading.offset_ms:+d} ms (±{reading.uncertainty_ms} ms) against the"
                f" exchange, measured in {latency_ms} ms",
                hint="set this host's clock, e.g. with chrony" if far else None,
            )
        )
    for product in dict.fromkeys(scope.product for scope in view.profile.scopes):
        identity = await view.read_identity(product)
        if isinstance(identity, Unknown):
            found.append(_unknown(f"identity {product}", identity.reason))
        else:
            found.append(_identity(product, identity))
    return found


def _identity(product: str, identity: Known[str]) -> Probe:
    words = ", ".join(identity.data)
    risky = [
        word
        for word in identity.data
        if any(bad in word.lower() for bad in _DANGEROUS_WORDS) and _is_on(word)
    ]
    if risky:
        return Probe(
            name=f"identity {product}",
            state="warn",
            detail=words,
            hint="this key may withdraw; give the tool a key that may not",
        )
    return Probe(name=f"identity {product}", state="ok", detail=words or "known")


def _is_on(word: str) -> bool:
    return not any(off in word.lower() for off in ("false", "off", "no ", "disabled", "not "))


async def _listings(view: "VenueView") -> list[Probe]:
    found: list[Probe] = []
    for scope in view.profile.scopes:
        section = await view.read_open_orders(scope)
        if isinstance(section, Unknown):
            found.append(_unknown(f"open orders {scope}", section.reason))
        elif not section.complete:
            found.append(_unknown(f"open orders {scope}", "; ".join(section.notes)))
        else:
            found.append(
                Probe(
                    name=f"open orders {scope}",
                    state="ok",
                    detail=f"{len(section.data)} resting",
                )
            )
    found += [_unknown(f"not covered: {gap.what}", gap.reason) for gap in view.profile.not_covered]
    weight = view.weight_used()
    if weight is not None:
        found.append(Probe(name="request weight", state="ok", detail=f"{weight} used"))
    return [*found, *_profile(view.profile)]


def _profile(profile: "VenueProfile") -> list[Probe]:
    """Return what proofs and powers at this venue stand on."""
    seconds = profile.staleness_horizon_ms // 1000
    reduces = ", ".join(profile.reduces) or "nothing by this version"
    switches = ", ".join(profile.switches) or "none that this version can arm"
    return [
        Probe(
            name="staleness horizon",
            state="ok",
            detail=f"{seconds} s, {profile.horizon_source}",
        ),
        Probe(name="flatten", state="ok", detail=f"can reduce {reduces}"),
        Probe(name="dead-man switch", state="ok", detail=switches),
    ]


def _unknown(name: str, reason: str) -> Probe:
    return Probe(name=name, state="unknown", detail=reason, code=ExitCode.INCOMPLETE)
