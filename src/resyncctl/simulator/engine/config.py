"""What the demo engine is told, read from one JSON file.

Promises: a mistake is named with its key; keys and tokens stand in files of their own. The address
must be on loopback, for this engine trades on the practice exchange and nowhere else. Called by
`__main__` and by whoever writes the file (the demo, drills, tests).
"""

import ipaddress
import json
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

_TEXTS = (
    "account",
    "address",
    "ca_file",
    "api_key_file",
    "api_secret_file",
    "checkpoint",
    "gate_file",
    "control_file",
)
_PREFIX_MAX = 12


class ConfigMistake(ValueError):  # noqa: N818  # the name is the message
    """The configuration cannot be used; the message names the key."""


@dataclass(frozen=True)
class Pair:
    """What is quoted: a unified symbol, the size of each quote, and how far from the mid.

    `spread` and `stop_distance` are ratios of the price; numbers travel as text.
    """

    symbol: str
    size: str
    spread: str = "0.001"
    stop_distance: str = "0.05"

    def number(self, name: str) -> Decimal:
        """Return one of the numbers."""
        return Decimal(str(getattr(self, name)))


@dataclass(frozen=True)
class EngineConfig:
    """Everything that the engine is told."""

    account: str
    address: str
    ca_file: str
    api_key_file: str
    api_secret_file: str
    checkpoint: str
    gate_file: str
    control_file: str
    pairs: tuple[Pair, ...]
    client_id_prefix: str = "demo-"
    name: str = "demo-engine"
    interval_ms: int = 500
    sync_every_ms: int = 10_000
    request_validity_ms: int = 5_000
    cancel_on_stop: bool = False

    def save(self, path: Path) -> None:
        """Write the configuration where `read_config` finds it."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_config(path: Path) -> EngineConfig:
    """Read a configuration.

    Raises:
        ConfigMistake: It cannot be read, or a key is missing, unknown or wrong.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as trouble:
        raise ConfigMistake(f"{path} cannot be read: {trouble}") from trouble
    if not isinstance(document, dict):
        raise ConfigMistake(f"{path} is not a JSON object")
    known = {field.name for field in fields(EngineConfig)}
    for key in sorted(document.keys() - known):
        raise ConfigMistake(f"unknown key {key!r}")
    for key in (*_TEXTS, "pairs"):
        if key not in document:
            raise ConfigMistake(f"the key {key!r} is missing")
    pairs = tuple(_pair(row, index) for index, row in enumerate(document.pop("pairs")))
    return _checked(EngineConfig(**document, pairs=pairs))


def _pair(row: Any, index: int) -> Pair:  # JSON
    try:
        pair = Pair(**row)
        numbers = [pair.number(name) for name in ("size", "spread", "stop_distance")]
    except (TypeError, InvalidOperation) as trouble:
        raise ConfigMistake(f"pairs[{index}]: {trouble}") from trouble
    if not all(number.is_finite() and number > 0 for number in numbers):
        raise ConfigMistake(f"pairs[{index}]: size, spread and stop_distance must be above zero")
    if "/" not in pair.symbol:
        raise ConfigMistake(f"pairs[{index}]: {pair.symbol!r} is not a unified symbol")
    return pair


def _checked(config: EngineConfig) -> EngineConfig:
    for key in _TEXTS:
        if not isinstance(getattr(config, key), str) or not getattr(config, key):
            raise ConfigMistake(f"{key} must be text")
    for key in ("interval_ms", "sync_every_ms", "request_validity_ms"):
        value = getattr(config, key)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise ConfigMistake(f"{key} must be whole milliseconds above zero")
    if not config.pairs:
        raise ConfigMistake("pairs is empty: there is nothing to quote")
    if not 0 < len(config.client_id_prefix) <= _PREFIX_MAX:
        raise ConfigMistake(f"client_id_prefix must have 1 to {_PREFIX_MAX} characters")
    host = config.address.rpartition(":")[0]
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConfigMistake(f"address is {config.address!r}: only a loopback address is allowed")
    return config
