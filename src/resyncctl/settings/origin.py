"""Which value is in force and where it comes from: the file's line, a variable, or the default.

Promises: every leaf of the configuration is listed once; what may hold a secret is masked. Called
by `resyncctl config show`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from resyncctl.core.money import plain
from resyncctl.settings.convert import to_policy
from resyncctl.settings.durations import format_duration
from resyncctl.settings.load import Source
from resyncctl.settings.locate import KeyPath, line_of
from resyncctl.settings.models import Settings

MASK = "(masked)"
_DURATIONS = frozenset(
    {
        "lookback",
        "stale_order",
        "in_flight",
        "checkpoint_age",
        "guard_window",
        "settle_delay",
        "clock_skew_warn",
        "unknown_order_storm_window",
        "staleness_horizon",
        "request_validity",
        "verdict_validity",
        "watch_window",
        "rto",
        "countdown",
        "latency_critical",
        "flatten_plan_validity",
        "timeout",
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value in force. `origin` is `default`, `FILE:LINE` or the name of a variable."""

    key: str
    value: str
    origin: str


def entries(settings: Settings, source: Source) -> tuple[Entry, ...]:
    """Return every value in force, in the order of the models."""
    return tuple(
        Entry(".".join(path), _masked(path, value), _origin(path, source))
        for path, value in _leaves((), settings)
    )


def _leaves(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves((*path, name), _in_force(path, name, value))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves((*path, str(name)), inner)
    else:
        yield path, value


def _in_force(path: KeyPath, name: str, model: BaseModel) -> object:
    """Return the field, or for an unset policy number the default that the core uses instead."""
    value = getattr(model, name)
    if value is None and path == ("policy",):
        policy: Any = to_policy(model)  # type: ignore[arg-type]  # the path says which model it is
        return (
            getattr(policy, name, None) if hasattr(policy, name) else getattr(policy, f"{name}_ms")
        )
    return value


def _masked(path: KeyPath, value: object) -> str:
    if path[-1] == "url" and isinstance(value, str):
        # The path of a ping address is its password.
        host = value.split("/")[2] if value.count("/") >= 2 else ""  # noqa: PLR2004  # https: // host
        return f"{value.split('/')[0]}//{host}/{MASK}"
    if path[-1] in {"argv", "stop"} and isinstance(value, tuple) and value:
        return f"{value[0]} {MASK}" if len(value) > 1 else str(value[0])
    return _text(path[-1], value)


def _text(name: str, value: object) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or "(none)"
    if isinstance(value, Decimal):
        return plain(value)
    if name in _DURATIONS and isinstance(value, int):
        return format_duration(value)
    return str(value)


def _origin(path: KeyPath, source: Source) -> str:
    for length in range(len(path), 0, -1):
        wanted = ("RESYNCCTL_" + "__".join(path[:length])).upper()
        for name in os.environ:
            if name.upper() == wanted:
                return name
    if path in source.lines or _inside_file_value(path, source):
        return f"{source.path}:{line_of(dict(source.lines), path)}"
    return "default"


def _inside_file_value(path: KeyPath, source: Source) -> bool:
    """Whether the file's tree holds the path, e.g. a key of an inline table."""
    value: object = source.tree
    for word in path:
        if not isinstance(value, Mapping) or word not in value:
            return False
        value = value[word]
    return True
