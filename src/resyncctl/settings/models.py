"""The configuration file as pydantic models: one field, one docstring, one default.

The docstrings are the operator's documentation: `config schema`, `docs/configuration.md` and the
file that `init` writes are all made from them. Invariants: an unknown key is an error, and errors
never show what was written (see `fields.STRICT`). Called by `settings.load` only.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from resyncctl.settings.fields import (
    STRICT,
    Address,
    DurationMs,
    ExactDecimal,
    Text,
    WebAddress,
)

Argv = Annotated[tuple[Text, ...], Field(min_length=1)]


class FileCredentials(BaseModel):
    """The key is in a file that only its owner can read (mode 0600)."""

    model_config = STRICT
    source: Literal["file"]
    """Where the key is kept: file, env, command, keyring or systemd."""
    path: Text
    """The file with `api_key = "..."` and `secret = "..."`."""


class EnvironmentCredentials(BaseModel):
    """The key is in environment variables. A file is safer: variables leak into child processes."""

    model_config = STRICT
    source: Literal["env"]
    """Where the key is kept: file, env, command, keyring or systemd."""
    api_key: Text
    """The name of the variable that holds the key."""
    secret: Text
    """The name of the variable that holds the secret."""
    password: Text | None = None
    """The name of the variable that holds the passphrase, for exchanges that have one."""


class CommandCredentials(BaseModel):
    """A command prints the key, e.g. a password manager. No shell is involved."""

    model_config = STRICT
    source: Literal["command"]
    """Where the key is kept: file, env, command, keyring or systemd."""
    argv: Argv
    """The command and its arguments, one text each."""


class KeyringCredentials(BaseModel):
    """The key is in the desktop's keyring."""

    model_config = STRICT
    source: Literal["keyring"]
    """Where the key is kept: file, env, command, keyring or systemd."""
    service: Text
    """The service name in the keyring."""
    username: Text
    """The user name in the keyring."""


class SystemdCredentials(BaseModel):
    """The key is handed over by systemd (`LoadCredential=`)."""

    model_config = STRICT
    source: Literal["systemd"]
    """Where the key is kept: file, env, command, keyring or systemd."""
    name: Text
    """The name of the credential in the unit file."""


Credentials = Annotated[
    FileCredentials
    | EnvironmentCredentials
    | CommandCredentials
    | KeyringCredentials
    | SystemdCredentials,
    Field(discriminator="source"),
]


class Practice(BaseModel):
    """Where the practice exchange is. Every host name of the account resolves to this address."""

    model_config = STRICT
    address: Address
    """Host and port of `resyncctl sim serve`."""
    ca_file: Text
    """The certificate authority that `resyncctl sim serve` wrote. Nothing else is trusted."""


class Account(BaseModel):
    """One account at one exchange."""

    model_config = STRICT
    venue: Text
    """The exchange, as ccxt names it, e.g. `binanceusdm`."""
    mode: Literal["live", "testnet", "practice"] = "live"
    """Which world the account is in. Every prompt says it in words."""
    credentials: Credentials
    """Where the key is kept. The key itself never stands in this file."""
    scopes: tuple[Text, ...] = ()
    """The products that can hold orders, e.g. `["spot", "linear"]`. Empty: all that are known."""
    client_id_prefixes: tuple[Text, ...] = ()
    """How the client order ids of our own orders begin."""
    practice: Practice | None = None
    """Only in practice mode: where the practice exchange listens."""


class CheckpointState(BaseModel):
    """The engine writes checkpoints in the format of `resyncctl.sdk`."""

    model_config = STRICT
    kind: Literal["checkpoint"]
    """How the engine keeps its state: checkpoint or command."""
    path: Text
    """The checkpoint file."""


class CommandState(BaseModel):
    """A command prints a checkpoint on its standard output. It is read, never repaired."""

    model_config = STRICT
    kind: Literal["command"]
    """How the engine keeps its state: checkpoint or command."""
    argv: Argv
    """The command and its arguments, one text each. No shell is involved."""
    timeout: DurationMs = 10_000
    """How long the command may take."""


class UnitControl(BaseModel):
    """The engine is a systemd unit."""

    model_config = STRICT
    kind: Literal["systemd"]
    """How the engine is stopped and started: systemd, docker, command or manual."""
    unit: Text
    """The unit's name."""


class ContainerControl(BaseModel):
    """The engine is a container."""

    model_config = STRICT
    kind: Literal["docker"]
    """How the engine is stopped and started: systemd, docker, command or manual."""
    container: Text
    """The container's name."""


class CommandControl(BaseModel):
    """The engine is stopped by a command."""

    model_config = STRICT
    kind: Literal["command"]
    """How the engine is stopped and started: systemd, docker, command or manual."""
    stop: Argv
    """The command that stops the engine, shown to the operator."""


class ManualControl(BaseModel):
    """A person stops the engine."""

    model_config = STRICT
    kind: Literal["manual"]
    """How the engine is stopped and started: systemd, docker, command or manual."""


class NoSilence(BaseModel):
    """Nobody looks. A named person must then say that the engine is stopped."""

    model_config = STRICT
    kind: Literal["none"]
    """How it is known that the engine does not send: none, acknowledgement, process or systemd."""


class AcknowledgedSilence(BaseModel):
    """The engine itself says so, next to its gate file, through `resyncctl.sdk`."""

    model_config = STRICT
    kind: Literal["acknowledgement"]
    """How it is known that the engine does not send: none, acknowledgement, process or systemd."""
    fresh: DurationMs = 60_000
    """How old the engine's last word may be."""


class ProcessSilence(BaseModel):
    """The engine's process on this host is gone. Not for a process inside a container."""

    model_config = STRICT
    kind: Literal["process"]
    """How it is known that the engine does not send: none, acknowledgement, process or systemd."""
    pid_file: Text | None = None
    """The file in which the engine writes the number of its process."""
    match: Argv | None = None
    """Arguments that the engine runs with, one after another, e.g. `["python3", "bot.py"]`."""


class UnitSilence(BaseModel):
    """The engine's systemd unit on this host is stopped."""

    model_config = STRICT
    kind: Literal["systemd"]
    """How it is known that the engine does not send: none, acknowledgement, process or systemd."""
    unit: Text
    """The unit's name, e.g. `bot.service`."""
    user: bool = False
    """Whether it is a unit of this user's own systemd."""
    timeout: DurationMs = 5_000
    """How long systemd may take to answer."""


class Engine(BaseModel):
    """One trading engine."""

    model_config = STRICT
    accounts: tuple[Text, ...] = Field(min_length=1)
    """The accounts that the engine trades on."""
    state: Annotated[CheckpointState | CommandState, Field(discriminator="kind")]
    """Where the engine keeps what it believes."""
    control: Annotated[
        UnitControl | ContainerControl | CommandControl | ManualControl,
        Field(discriminator="kind"),
    ] = ManualControl(kind="manual")
    """How the engine is stopped. It is shown to the operator; this version does not act on it."""
    gate_file: Text | None = None
    """The file that the engine reads before every order. Missing or corrupt means UNSAFE."""
    silence: Annotated[
        NoSilence | AcknowledgedSilence | ProcessSilence | UnitSilence,
        Field(discriminator="kind"),
    ] = NoSilence(kind="none")
    """How it is known that the engine does not send. Unobserved, a person must give their word."""


class PolicySettings(BaseModel):
    """What counts as equal, as old, as gone."""

    model_config = STRICT
    balance_tolerance_ratio: ExactDecimal | None = None
    """The unexplained part of a balance that is no finding, as a ratio (0.0001 is 0.01 %)."""
    balance_floor: ExactDecimal | None = None
    """The tolerance is never below this amount of the asset."""
    balance_cap: ExactDecimal | None = None
    """The tolerance is never above this amount of the asset."""
    entry_price_tolerance_ratio: ExactDecimal | None = None
    """How far entry prices may differ, as a ratio."""
    quantity_tolerance: ExactDecimal | None = None
    """How far quantities of orders and positions may differ. Leave it at zero."""
    dust: dict[Text, ExactDecimal] = {}
    """Per asset, the amount that is not worth an alarm, e.g. `{ BNB = "0.0001" }`."""
    lookback: DurationMs | None = None
    """How far back fills are compared."""
    stale_order: DurationMs | None = None
    """An open order that is older is stale."""
    in_flight: DurationMs | None = None
    """How long an order may be on its way before that is a finding."""
    checkpoint_age: DurationMs | None = None
    """A checkpoint that is older is stale."""
    guard_window: DurationMs | None = None
    """What was touched this recently is settling, not wrong."""
    settle_delay: DurationMs | None = None
    """How long to wait before the second look at a running engine."""
    double_collect_attempts: int | None = Field(default=None, ge=1, le=20)
    """How often to read the account again until two readings agree."""
    clock_skew_warn: DurationMs | None = None
    """The clock difference from which on a reading is not trusted."""
    unknown_order_storm: int | None = Field(default=None, ge=1)
    """How many unknown orders within the window are a storm."""
    unknown_order_storm_window: DurationMs | None = None
    """The window in which unknown orders are counted."""
    staleness_horizon: DurationMs | None = None
    """How long listings may lag. Default: what the venue profile says."""
    proof_reads: int | None = Field(default=None, ge=2, le=20)
    """How many clean listings in a row prove that nothing is left."""
    request_validity: DurationMs | None = None
    """The longest time after which a request can still take effect (the receive window)."""
    verdict_validity: DurationMs | None = None
    """How long a clean verdict may be used to open the gate."""
    require_engine_silence: bool | None = None
    """Whether an account can be SAFE only when the engine is known not to send. Leave it true."""
    watch_window: DurationMs | None = None
    """How long an account is watched after a resume; a new discrepancy closes the gate again."""
    rto: DurationMs | None = None
    """The recovery time objective: in this time a lost account must be SAFE again."""
    countdown: DurationMs | None = None
    """What the exchange's dead-man switch is armed with, where there is one."""
    latency_critical: DurationMs | None = None
    """From this round trip on `resync` cancels, even when it was asked not to."""
    flatten_slippage_max: ExactDecimal | None = None
    """The worst price that `flatten` accepts, as a ratio of the price it saw (0.01 is 1 %)."""
    flatten_notional_max: ExactDecimal | None = None
    """The most that one `flatten` may sell or buy back, in the quote asset. Default: no cap."""
    flatten_slice_notional_max: ExactDecimal | None = None
    """The most that one order of `flatten` may be worth, in the quote asset. Default: no cap."""
    flatten_plan_validity: DurationMs | None = None
    """How long a saved flatten plan may be applied."""
    ignored_assets: tuple[Text, ...] = ()
    """Assets whose balances are not compared. They are listed in every report."""
    external_order_claims: tuple[Text, ...] = ()
    """Symbols on which orders that the engine does not list are expected, and so no orphans."""
    claimed_prefixes: tuple[Text, ...] = ()
    """Beginnings of client order ids that somebody else answers for; such orders are no orphans."""


class ContactSettings(BaseModel):
    """Whom to call."""

    model_config = STRICT
    name: Text
    """The name of the person or desk."""
    reach: Text
    """How to reach them: a telephone number, a channel."""
    severity: Literal["minor", "major", "critical"] = "major"
    """The severity from which on they are called."""


class HeartbeatSettings(BaseModel):
    """A health-check service that raises an alarm when cron runs stop coming."""

    model_config = STRICT
    url: WebAddress
    """The check's ping address."""
    timeout: DurationMs = 10_000
    """How long a ping may take. A failing ping never changes the result of a run."""


class MetricsSettings(BaseModel):
    """Prometheus metrics of cron runs."""

    model_config = STRICT
    textfile: Text
    """The file for the textfile collector; its name must end in `.prom`."""


class Settings(BaseSettings):
    """The whole configuration file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        frozen=True,
        use_attribute_docstrings=True,
        env_prefix="RESYNCCTL_",
        env_nested_delimiter="__",
    )
    state_dir: Text | None = None
    """Where journals, the store and the gate copies are kept. Default: the XDG state folder."""
    accounts: dict[Text, Account] = {}
    """The accounts by name. The name is what you type on the command line."""
    engines: dict[Text, Engine] = {}
    """The trading engines by name."""
    policy: PolicySettings = PolicySettings()
    """Tolerances, windows and timeouts."""
    contacts: dict[Text, ContactSettings] = {}
    """Whom to call, by role: on-call, backup, risk manager, CTO, exchange support."""
    heartbeat: HeartbeatSettings | None = None
    """The ping of every `reconcile` run."""
    metrics: MetricsSettings | None = None
    """The metrics of every `reconcile` run."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let a variable win over the file; read no other source."""
        return env_settings, init_settings
