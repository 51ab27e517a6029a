"""The configuration as plain frozen values, free of pydantic: what wiring builds adapters from.

Invariants: every path is absolute, every duration is in milliseconds, and no secret is inside:
credentials are references to where a secret is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from resyncctl.core.policy import Policy


class Mode(StrEnum):
    """Which world an account is in. Every prompt and screen says it in words."""

    LIVE = "live"
    TESTNET = "testnet"
    PRACTICE = "practice"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReference:
    """Where the key of an account is kept.

    `source` is file, env, command, keyring or systemd. Only the fields of that source are set.
    """

    source: str
    path: Path | None = None
    api_key_variable: str | None = None
    secret_variable: str | None = None
    password_variable: str | None = None
    argv: tuple[str, ...] = ()
    service: str | None = None
    username: str | None = None
    name: str | None = None

    def describe(self) -> str:
        """Return the reference in words, without anything secret."""
        match self.source:
            case "file":
                return f"file {self.path}"
            case "env":
                return f"environment {self.api_key_variable}, {self.secret_variable}"
            case "command":
                return f"command {self.argv[0] if self.argv else ''}"
            case "keyring":
                return f"keyring {self.service}/{self.username}"
            case _:
                return f"systemd credential {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeAddress:
    """Where the practice exchange listens and which certificate authority vouches for it."""

    host: str
    port: int
    ca_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpec:
    """One account at one exchange. `scopes` is the manifest as written; empty means all."""

    name: str
    venue: str
    mode: Mode
    credentials: CredentialReference
    scopes: tuple[str, ...] = ()
    client_id_prefixes: tuple[str, ...] = ()
    practice: PracticeAddress | None = None

    @property
    def banner(self) -> str:
        """The word that every prompt carries."""
        return {Mode.LIVE: "LIVE", Mode.TESTNET: "TESTNET", Mode.PRACTICE: "PRACTICE"}[self.mode]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSource:
    """Where an engine's belief is read from: a checkpoint file or a command's output."""

    kind: str
    path: Path | None = None
    argv: tuple[str, ...] = ()
    timeout_ms: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReference:
    """How an engine is started and stopped, in the words of its configuration."""

    kind: str
    target: str = ""

    def describe(self) -> str:
        """Return e.g. `systemd mm1.service`."""
        return f"{self.kind} {self.target}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceSource:
    """How it is known that an engine does not send. Only the fields of its kind are set.

    `kind` is none, acknowledgement, process or systemd.
    """

    kind: str = "none"
    fresh_ms: int = 60_000
    pid_file: Path | None = None
    match: tuple[str, ...] = ()
    unit: str = ""
    user: bool = False
    timeout_ms: int = 5_000

    def describe(self) -> str:
        """Return e.g. `process bot.pid`."""
        told = str(self.pid_file) if self.pid_file else " ".join(self.match) or self.unit
        return f"{self.kind} {told}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """One trading engine."""

    name: str
    accounts: tuple[str, ...]
    state: StateSource
    control: ControlReference
    gate_file: Path | None = None
    silence: SilenceSource = SilenceSource()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person or desk to call, and from which severity on."""

    role: str
    name: str
    reach: str
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A health-check address that is told of start, success and failure of every cron run."""

    url: str
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that a command needs to know before it starts."""

    path: Path
    accounts: Mapping[str, AccountSpec]
    engines: Mapping[str, EngineSpec]
    policy: Policy
    contacts: tuple[Contact, ...]
    state_dir: Path
    cache_dir: Path
    heartbeat: Heartbeat | None = None
    metrics_file: Path | None = None
    warnings: tuple[str, ...] = field(default=())

    def engine_of(self, account: str) -> EngineSpec | None:
        """Return the engine that trades on the account, None when the configuration names none."""
        for engine in self.engines.values():
            if account in engine.accounts:
                return engine
        return None

    def policy_of(self, account: str) -> Policy:
        """Return the policy with the account's own client order id prefixes."""
        prefixes = self.accounts[account].client_id_prefixes
        return replace(self.policy, client_id_prefixes=prefixes) if prefixes else self.policy
