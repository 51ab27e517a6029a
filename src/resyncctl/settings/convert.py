"""From validated settings to the core's values: paths made absolute, references checked.

Promises: what pydantic cannot see is checked here (an engine's account exists, no account has two
engines, practice mode has an address), each with the line of the key. Called by `settings.load`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from resyncctl.core.policy import Policy
from resyncctl.settings import models, paths
from resyncctl.settings.complain import at
from resyncctl.settings.locate import KeyPath
from resyncctl.settings.specs import (
    AccountSpec,
    Configuration,
    Contact,
    ControlReference,
    CredentialReference,
    EngineSpec,
    Heartbeat,
    Mode,
    PracticeAddress,
    SilenceSource,
    StateSource,
)


def to_configuration(
    settings: models.Settings,
    path: Path,
    lines: Mapping[KeyPath, int],
    environ: Mapping[str, str],
) -> Configuration:
    """Return the configuration as frozen values.

    Raises:
        ConfigurationError: Two parts of the configuration contradict each other.
    """
    _check_references(settings, path, lines)
    base = path.parent

    def absolute(text: str) -> Path:
        return paths.expand(text, base, environ)

    accounts = {
        name: _account(name, account, absolute) for name, account in settings.accounts.items()
    }
    return Configuration(
        path=path,
        accounts=accounts,
        engines={
            name: _engine(name, engine, absolute) for name, engine in settings.engines.items()
        },
        policy=to_policy(settings.policy),
        contacts=tuple(
            Contact(role=role, name=one.name, reach=one.reach, severity=one.severity)
            for role, one in settings.contacts.items()
        ),
        state_dir=absolute(settings.state_dir)
        if settings.state_dir
        else paths.state_directory(environ),
        cache_dir=paths.cache_directory(environ),
        heartbeat=Heartbeat(url=settings.heartbeat.url, timeout_ms=settings.heartbeat.timeout)
        if settings.heartbeat
        else None,
        metrics_file=absolute(settings.metrics.textfile) if settings.metrics else None,
        warnings=tuple(_warnings(settings)),
    )


def to_policy(settings: models.PolicySettings) -> Policy:
    """Return the core's policy: what is not configured keeps the core's own default."""
    known = {field.name for field in fields(Policy)}
    chosen: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is None or name == "dust":
            continue
        chosen[name if name in known else f"{name}_ms"] = value
    chosen["dust"] = tuple(sorted(settings.dust.items()))
    return Policy(**chosen)


def _check_references(settings: models.Settings, path: Path, lines: Mapping[KeyPath, int]) -> None:
    owners: dict[str, str] = {}
    for name, engine in settings.engines.items():
        for account in engine.accounts:
            key = ("engines", name, "accounts")
            if account not in settings.accounts:
                known = ", ".join(settings.accounts) or "none"
                raise at(path, lines, key, "an account is not configured", f"configured: {known}")
            if account in owners:
                raise at(
                    path,
                    lines,
                    key,
                    f"the account already belongs to the engine {owners[account]}",
                    "one account has one engine; give the second engine a sub-account",
                )
            owners[account] = name
    _check_accounts(settings, path, lines)
    _check_silence(settings, path, lines)
    if settings.metrics and not settings.metrics.textfile.endswith(".prom"):
        raise at(
            path,
            lines,
            ("metrics", "textfile"),
            "the collector reads only files whose name ends in .prom",
        )


def _check_accounts(settings: models.Settings, path: Path, lines: Mapping[KeyPath, int]) -> None:
    for name, account_settings in settings.accounts.items():
        table: tuple[str, ...] = ("accounts", name)
        if account_settings.mode == "practice" and account_settings.practice is None:
            raise at(
                path,
                lines,
                table,
                "practice mode needs the address of the practice exchange",
                'add practice = { address = "127.0.0.1:18443", ca_file = "practice-ca.pem" }',
            )
        if account_settings.mode != "practice" and account_settings.practice is not None:
            raise at(
                path,
                lines,
                (*table, "practice"),
                "a practice address in an account that is not in practice mode",
                'write mode = "practice", or remove the address',
            )
        if any(letter.isspace() or letter in "/\\" for letter in name) or name.startswith("-"):
            raise at(path, lines, table, "an account name may not hold spaces or slashes")


def _check_silence(settings: models.Settings, path: Path, lines: Mapping[KeyPath, int]) -> None:
    for name, engine in settings.engines.items():
        key = ("engines", name, "silence")
        silence = engine.silence
        if isinstance(silence, models.AcknowledgedSilence) and engine.gate_file is None:
            raise at(
                path,
                lines,
                key,
                "an engine without a gate file has nothing to acknowledge",
                "set gate_file to the file that the engine reads before every order",
            )
        if isinstance(silence, models.ProcessSilence) and (
            (silence.pid_file is None) == (silence.match is None)
        ):
            raise at(
                path,
                lines,
                key,
                "a process is named either by its pid_file or by a match",
                'write pid_file = "bot.pid", or match = ["python3", "bot.py"]',
            )


def _warnings(settings: models.Settings) -> list[str]:
    found = []
    for name, account in settings.accounts.items():
        if isinstance(account.credentials, models.EnvironmentCredentials):
            found.append(
                f"accounts.{name}: a key in the environment is seen by every child process; "
                "a file with mode 0600 is safer"
            )
        if not any(name in engine.accounts for engine in settings.engines.values()):
            found.append(
                f"accounts.{name}: no engine is configured, so reconcile has nothing to compare "
                "with and can never call the account clean"
            )
    real = any(account.mode != "practice" for account in settings.accounts.values())
    if settings.policy.staleness_horizon is not None and real:
        found.append(
            "policy.staleness_horizon overrides what the venue profiles know of their exchange's"
            " lag; with a shorter one a proof of absence proves less"
        )
    found.extend(
        f"engines.{name}: no gate_file, so nothing tells this engine that it must not trade"
        for name, engine in settings.engines.items()
        if engine.gate_file is None
    )
    return found


def _account(name: str, account: models.Account, absolute: Callable[[str], Path]) -> AccountSpec:
    practice = None
    if account.practice is not None:
        host, _, port = account.practice.address.rpartition(":")
        practice = PracticeAddress(
            host=host.strip("[]"), port=int(port), ca_file=absolute(account.practice.ca_file)
        )
    return AccountSpec(
        name=name,
        venue=account.venue,
        mode=Mode(account.mode),
        credentials=_credentials(account.credentials, absolute),
        scopes=account.scopes,
        client_id_prefixes=account.client_id_prefixes,
        practice=practice,
    )


def _credentials(
    settings: models.Credentials, absolute: Callable[[str], Path]
) -> CredentialReference:
    match settings:
        case models.FileCredentials():
            return CredentialReference(source="file", path=absolute(settings.path))
        case models.EnvironmentCredentials():
            return CredentialReference(
                source="env",
                api_key_variable=settings.api_key,
                secret_variable=settings.secret,
                password_variable=settings.password,
            )
        case models.CommandCredentials():
            return CredentialReference(source="command", argv=settings.argv)
        case models.KeyringCredentials():
            return CredentialReference(
                source="keyring", service=settings.service, username=settings.username
            )
        case models.SystemdCredentials():
            return CredentialReference(source="systemd", name=settings.name)


def _engine(name: str, engine: models.Engine, absolute: Callable[[str], Path]) -> EngineSpec:
    return EngineSpec(
        name=name,
        accounts=engine.accounts,
        state=_state(engine.state, absolute),
        control=_control(engine.control),
        gate_file=absolute(engine.gate_file) if engine.gate_file else None,
        silence=_silence(engine.silence, absolute),
    )


def _state(
    settings: models.CheckpointState | models.CommandState, absolute: Callable[[str], Path]
) -> StateSource:
    match settings:
        case models.CheckpointState():
            return StateSource(kind="checkpoint", path=absolute(settings.path))
        case models.CommandState():
            return StateSource(kind="command", argv=settings.argv, timeout_ms=settings.timeout)


def _control(settings: object) -> ControlReference:
    match settings:
        case models.UnitControl():
            return ControlReference(kind="systemd", target=settings.unit)
        case models.ContainerControl():
            return ControlReference(kind="docker", target=settings.container)
        case models.CommandControl():
            return ControlReference(kind="command", target=" ".join(settings.stop))
        case _:
            return ControlReference(kind="manual")


def _silence(settings: object, absolute: Callable[[str], Path]) -> SilenceSource:
    match settings:
        case models.AcknowledgedSilence():
            return SilenceSource(kind="acknowledgement", fresh_ms=settings.fresh)
        case models.ProcessSilence():
            return SilenceSource(
                kind="process",
                pid_file=absolute(settings.pid_file) if settings.pid_file else None,
                match=settings.match or (),
            )
        case models.UnitSilence():
            return SilenceSource(
                kind="systemd",
                unit=settings.unit,
                user=settings.user,
                timeout_ms=settings.timeout,
            )
        case _:
            return SilenceSource()
