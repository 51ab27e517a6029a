"""The configuration described by its own models: JSON Schema, reference page and first file.

Promises: one source, the docstrings of `settings.models`; the page in `docs/` and the schema are
generated and a test compares them. Called by `config schema`, by `init` and by that test.
"""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from resyncctl.core.money import plain
from resyncctl.settings import models
from resyncctl.settings.convert import to_policy
from resyncctl.settings.durations import format_duration
from resyncctl.settings.fields import DurationMs, ExactDecimal

_DURATION_METADATA = typing.get_args(DurationMs)[1]
_DECIMAL_METADATA = typing.get_args(ExactDecimal)[1]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file, for editors."""
    schema = models.Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "resyncctl configuration"
    return schema


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """One key as the reference shows it."""

    key: str
    kind: str
    default: str
    text: str


SECTIONS: tuple[tuple[str, str, tuple[type[BaseModel], ...]], ...] = (
    ("[accounts.NAME]", "One account at one exchange.", (models.Account,)),
    (
        "credentials = { ... }",
        "Where the key of an account is kept, by `source`.",
        (
            models.FileCredentials,
            models.EnvironmentCredentials,
            models.CommandCredentials,
            models.KeyringCredentials,
            models.SystemdCredentials,
        ),
    ),
    ("practice = { ... }", "Only for accounts in practice mode.", (models.Practice,)),
    ("[engines.NAME]", "One trading engine.", (models.Engine,)),
    (
        "state = { ... }",
        "Where the engine keeps what it believes, by `kind`.",
        (models.CheckpointState, models.CommandState),
    ),
    (
        "control = { ... }",
        "How the engine is stopped, by `kind`.",
        (
            models.UnitControl,
            models.ContainerControl,
            models.CommandControl,
            models.ManualControl,
        ),
    ),
    (
        "silence = { ... }",
        "How it is known that the engine does not send, by `kind`.",
        (
            models.NoSilence,
            models.AcknowledgedSilence,
            models.ProcessSilence,
            models.UnitSilence,
        ),
    ),
    ("[policy]", "What counts as equal, as old, as gone.", (models.PolicySettings,)),
    ("[contacts.ROLE]", "Whom to call.", (models.ContactSettings,)),
    ("[heartbeat]", "The ping of every `reconcile` run.", (models.HeartbeatSettings,)),
    ("[metrics]", "Prometheus metrics of every `reconcile` run.", (models.MetricsSettings,)),
)


def fields_of(model: type[BaseModel]) -> Iterator[FieldDoc]:
    """Return the keys of one table with their documentation."""
    defaults: Any = to_policy(models.PolicySettings())
    for name, field in model.model_fields.items():
        default = field.default
        if model is models.PolicySettings and default is None:
            default = getattr(defaults, name, None)
            if default is None:
                default = getattr(defaults, f"{name}_ms", None)
        yield FieldDoc(
            key=name,
            kind=_kind(field),
            default=_default(field, default),
            text=(field.description or "").strip(),
        )


def _kind(field: FieldInfo) -> str:
    annotation = field.annotation
    metadata = [*field.metadata, *_optional_metadata(annotation)]
    if _DURATION_METADATA in metadata:
        return "duration"
    if _DECIMAL_METADATA in metadata:
        return "number in quotes"
    return _annotation_kind(annotation)


def _optional_metadata(annotation: object) -> list[object]:
    """Return the metadata inside `X | None`, where pydantic leaves it on the member."""
    if typing.get_origin(annotation) not in {typing.Union, types.UnionType}:
        return []
    found: list[object] = []
    for part in typing.get_args(annotation):
        if typing.get_origin(part) is typing.Annotated:
            found.extend(typing.get_args(part)[1:])
    return found


def _annotation_kind(annotation: object) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _annotation_kind(typing.get_args(annotation)[0])
    if origin is typing.Literal:
        return " \\| ".join(f'"{word}"' for word in typing.get_args(annotation))
    if origin is tuple:
        return "list of texts"
    if origin is dict:
        return "table"
    if origin in {typing.Union, types.UnionType}:
        parts = {_annotation_kind(part) for part in typing.get_args(annotation)} - {"nothing"}
        return " or ".join(sorted(parts))
    if annotation is type(None):
        return "nothing"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return {str: "text", int: "whole number", bool: "true or false"}.get(
        typing.cast("Any", annotation), "text"
    )


def _default(field: FieldInfo, default: object) -> str:
    if field.is_required():
        return "required"
    if default is None:
        return "not set"
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, BaseModel):
        return "as listed below"
    if isinstance(default, Decimal):
        return f'"{plain(default)}"'
    if isinstance(default, int) and _kind(field) == "duration":
        return f'"{format_duration(default)}"'
    if isinstance(default, tuple):
        return "[" + ", ".join(f'"{one}"' for one in default) + "]"
    if isinstance(default, dict):
        return "{}"
    return f'"{default}"' if isinstance(default, str) else str(default)


def reference_page() -> str:
    """Return `docs/configuration.md`."""
    lines = [_PREFACE]
    top = [doc for doc in fields_of(models.Settings) if doc.key == "state_dir"]
    lines.append("## Top of the file\n\n" + _table(top))
    for heading, sentence, kinds in SECTIONS:
        lines.append(f"## `{heading}`\n\n{sentence}\n")
        for model in kinds:
            if len(kinds) > 1:
                lines.append(f"### {(model.__doc__ or '').strip()}\n")
            lines.append(_table(list(fields_of(model))))
    return "\n".join(lines).rstrip() + "\n"


def _table(docs: list[FieldDoc]) -> str:
    rows = ["| key | kind | default | meaning |", "| --- | --- | --- | --- |"]
    rows.extend(f"| `{doc.key}` | {doc.kind} | {doc.default} | {doc.text} |" for doc in docs)
    return "\n".join(rows) + "\n"


_PREFACE = """# Configuration

<!-- Generated from the docstrings in src/resyncctl/settings/models.py; a test compares them. -->

One TOML file, by default `$XDG_CONFIG_HOME/resyncctl/resyncctl.toml` (usually
`~/.config/resyncctl/resyncctl.toml`), else `/etc/resyncctl/resyncctl.toml`. `--config FILE` or
the variable `RESYNCCTL_CONFIG` names another. `resyncctl init` writes a first one with comments.

- Every key can be set by a variable: `RESYNCCTL_STATE_DIR`, `RESYNCCTL_POLICY__LOOKBACK=48h`. Two
  underscores go one table down. A variable wins over the file.
- Durations carry their unit: `"250ms"`, `"5s"`, `"10m"`, `"24h"`, `"1h30m"`.
- Exact numbers stand in quotes: `"0.0001"`. A bare fraction is refused, because it is not exact.
- A relative path starts at the folder of the configuration file; `~/` is your home.
- Secrets never stand in this file, only references to where they are kept.
- A misspelt key is an error that names the line and the nearest valid key. No error shows a value.

`resyncctl config check` reads the file and says what is wrong, `resyncctl config show --origin`
lists every value in force and where it comes from, `resyncctl config schema` prints a JSON Schema
for editors.
"""
