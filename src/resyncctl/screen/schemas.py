"""The JSON Schemas of every command's document, generated from this one place.

Promises: `schema_of(command)` describes what `screen.envelope` makes; the files that ship in
`resyncctl/schemas` are written by `write_all` and a test compares them. Additions are allowed
within a version, so objects are open; the fields that are promised are required. Called by
`resyncctl schema` and by the tests.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from resyncctl.core.discrepancy import Kind, Severity, Verdict
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_proof import Flatness
from resyncctl.core.reduction import Protection
from resyncctl.screen.envelope import schema_name
from resyncctl.screen.snapshot_schemas import engine_schema, venue_schema

COMMANDS: Mapping[str, str] = {
    "status": "the board: gate, unfinished runs and last verdict of every account",
    "watch": "how the run that holds an account ended",
    "reconcile": "what the engine believes against what the exchange reports",
    "cancel-all": "close the gate, cancel, and prove that the orders are gone",
    "resync": "close the gate, cancel, compare and prove, until the account is SAFE",
    "verify": "every condition of SAFE, and what a resume made of it",
    "flatten": "cancel, then reduce an account to flat, and prove it",
    "gate-show": "the gate of every account",
    "gate-close": "the gate was closed",
    "gate-open": "the gate was opened, or the conditions that forbid it",
    "engine-list": "the configured engines",
    "engine-show": "an error of `engine show`; its answer is an engine snapshot",
    "venue-show": "an error of `venue show`; its answer is a venue snapshot",
    "doctor": "every probe of the installation, the keys and the exchange",
    "config-check": "what is wrong with the configuration",
    "config-show": "every value in force and where it comes from",
    "incident-list": "the incidents of this host, the newest first",
    "incident-show": "one incident: figures, runs, findings, timeline, and what is not known",
    "incident-note": "the incident with the note that was added",
    "incident-close": "the incident that was ended by hand",
    "incident-export": "an error of `incident export`; its answer is a text",
    "init": "the configuration file that was written",
    "audit-verify": "whether the hash chains of the records are whole",
    "sim-serve": "the practice exchange ran and ended",
    "demo": "the guided story on the practice exchange",
    "usage": "an error before a command was known",
}

Schema = dict[str, object]
_TEXT: Schema = {"type": "string"}
_DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_TIME: Schema = {"type": "string", "format": "date-time", "pattern": "Z$"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_OPEN: Schema = {"type": "object"}


def schema_of(command: str) -> Schema:
    """Return the JSON Schema of the command's document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{schema_name(command).replace('/', ':')}",
        "title": f"resyncctl {command}: {COMMANDS[command]}",
        **_object(
            {
                "schema": {"const": schema_name(command)},
                "run_id": _TEXT,
                "status": _TEXT,
                "verdict": _nullable({"enum": [verdict.value for verdict in Verdict]}),
                "exit_code": {"enum": [int(code) for code in ExitCode]},
                "exit_name": {"enum": [code.name for code in ExitCode]},
                "started_at": _TIME,
                "finished_at": _TIME,
                "accounts": {"type": "array", "items": _account(command)},
                "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
                "actions": {"type": "array", "items": {"$ref": "#/$defs/action"}},
                "timings": {"type": "object", "required": ["total_ms"]},
                "evidence": _OPEN,
                "data": _data(command),
                "error": {"$ref": "#/$defs/error"},
            }
        ),
        "$defs": {
            "finding": _finding(),
            "action": _action(),
            "section": _section(),
            "error": _nullable(
                _object(
                    {
                        "kind": _TEXT,
                        "message": _TEXT,
                        "hint": _nullable(_TEXT),
                        "place": _nullable(_TEXT),
                    }
                )
            ),
        },
    }


def _object(properties: Mapping[str, object], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _account(command: str) -> Schema:
    return _object(
        {
            "account": _TEXT,
            "status": _TEXT,
            "verdict": _nullable({"enum": [verdict.value for verdict in Verdict]}),
            "exit_code": {"enum": [int(code) for code in ExitCode]},
            "exit_name": {"enum": [code.name for code in ExitCode]},
            "counts": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}},
            "sections": {"type": "array", "items": {"$ref": "#/$defs/section"}},
            "data": _account_data(command),
            "error": {"$ref": "#/$defs/error"},
            "next_step": _nullable(_TEXT),
        }
    )


def _finding() -> Schema:
    values: Schema = {
        "type": "object",
        "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
    }
    names = ("product", "symbol", "leg", "client_order_id", "venue_order_id", "trade_id", "asset")
    subject = _object({"account": _TEXT, **dict.fromkeys(names, _TEXT)}, optional=names)
    return _object(
        {
            "id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
            "kind": {"enum": [kind.value for kind in Kind]},
            "severity": {"enum": [severity.value for severity in Severity]},
            "subject": {**subject, "additionalProperties": False},
            "engine": _nullable(values),
            "venue": _nullable(values),
            "delta": _nullable(values),
            "explained_by": {"type": "array", "items": _TEXT},
            "unexplained": _nullable(_DECIMAL),
            "remedy": _TEXT,
            "detail": _TEXT,
        }
    )


def _action() -> Schema:
    return _object(
        {
            "verb": {"enum": ["cancel_symbol", "cancel_order", "reduce", "gate_move"]},
            "account": _TEXT,
            "scope": _nullable(_TEXT),
            "symbol": _nullable(_TEXT),
            "venue_order_id": _nullable(_TEXT),
            "client_order_id": _nullable(_TEXT),
            "orders": _COUNT,
            "attempts": _COUNT,
            "outcome": _nullable(_TEXT),
            "state": _TEXT,
            "reason": _TEXT,
        }
    )


def _section() -> Schema:
    return _object(
        {
            "side": {"enum": ["engine", "venue"]},
            "section": _TEXT,
            "scope": _TEXT,
            "known": {"type": "boolean"},
            "complete": {"type": "boolean"},
            "rows": _nullable(_COUNT),
            "reason": _nullable(_TEXT),
            "as_of": _nullable(_TIME),
        }
    )


_GATE = _object(
    {
        "state": {"enum": ["RUNNING", "UNSAFE", "SAFE"]},
        "trusted": {"type": "boolean"},
        "reason": _TEXT,
        "since": _nullable(_TIME),
        "by": _nullable(_TEXT),
        "sequence": {"type": "integer"},
    }
)
_PROBE = _object(
    {
        "probe": _TEXT,
        "state": {"enum": ["ok", "warn", "fail", "unknown"]},
        "detail": _TEXT,
        "hint": _nullable(_TEXT),
    }
)
_HOLDING = _object(
    {
        "product": _TEXT,
        "symbol": _TEXT,
        "leg": {"enum": ["both", "long", "short"]},
        "side": {"enum": ["buy", "sell"]},
        "holding": _nullable(_DECIMAL),
        "quantity": _DECIMAL,
        "value": _nullable(_DECIMAL),
        "quote": _TEXT,
        "protection": _nullable({"enum": [one.value for one in Protection]}),
        "price": _nullable(_DECIMAL),
        "slippage": _nullable(_DECIMAL),
        "slices": _COUNT,
        "rest": _DECIMAL,
        "rest_value": _nullable(_DECIMAL),
        "state": {
            "enum": ["planned", "dust", "blocked", *(one.value for one in Flatness)],
        },
        "why": _TEXT,
        "filled": _DECIMAL,
        "sent": _COUNT,
        "left": _nullable(_DECIMAL),
        "left_value": _nullable(_DECIMAL),
        "dust": {"type": "boolean"},
    },
    # A holding that appeared after the plan has no plan; a plan has no end yet.
    optional=(
        *("side", "quantity", "value", "protection", "price", "slippage", "slices", "rest"),
        *("rest_value", "filled", "sent", "left", "left_value", "dust"),
    ),
)
_ACCOUNT_DATA: Mapping[str, Schema] = {
    "status": _object(
        {
            "mode": _TEXT,
            "venue": _TEXT,
            "gate": _GATE,
            "last_reconcile": _nullable(_OPEN),
            "last_safety": _nullable(_OPEN),
            "unfinished_runs": {"type": "array", "items": _OPEN},
            "incident": _nullable(_object({"id": _TEXT, "opened": _TIME, "reason": _TEXT})),
            "held_by": _nullable(_TEXT),
        },
        optional=("incident",),
    ),
    "doctor": _object({"probes": {"type": "array", "items": _PROBE}}),
    "flatten": _object({"holdings": {"type": "array", "items": _HOLDING}}),
}
_FIGURE = _nullable(_COUNT)
_INCIDENT = _object(
    {
        "incident_id": _TEXT,
        "account": _TEXT,
        "began": _TIME,
        "opened": _TIME,
        "ended": _nullable(_TIME),
        "ended_how": _TEXT,
        "reason": _TEXT,
        "by": _TEXT,
        "gate": {"enum": ["RUNNING", "UNSAFE", "SAFE", ""]},
        "cancel_sent": _nullable({"type": "boolean"}),
        "orders_before": _FIGURE,
        "orders_after": _FIGURE,
        "residuals": _FIGURE,
        "verdict": _nullable(_TEXT),
        "metrics": _object(
            {
                "gate_closed_after_ms": _FIGURE,
                "first_cancel_after_ms": _FIGURE,
                "proved_after_ms": _FIGURE,
                "safe_after_ms": _FIGURE,
                "running_after_ms": _FIGURE,
                "unsafe_ms": _FIGURE,
                "rto_ms": _FIGURE,
                "within_rto": _nullable({"type": "boolean"}),
            }
        ),
        "runs": {"type": "array", "items": _OPEN},
        "timeline": {
            "type": "array",
            "items": _object({"at": _TIME, "what": _TEXT, "text": _TEXT, "run_id": _TEXT}),
        },
        "findings": {"type": "array", "items": _OPEN},
        "notes": {"type": "array", "items": _object({"at": _TIME, "by": _TEXT, "text": _TEXT})},
        "not_known": {"type": "array", "items": _TEXT},
    }
)
_INCIDENTS = _object({"incidents": {"type": "array", "items": _INCIDENT}}, optional=("incidents",))
_DATA: Mapping[str, Schema] = {
    **dict.fromkeys(
        ("incident-list", "incident-show", "incident-note", "incident-close"), _INCIDENTS
    ),
    "doctor": _object({"probes": {"type": "array", "items": _PROBE}}, optional=("probes",)),
    "config-show": _object(
        {
            "values": {
                "type": "array",
                "items": _object({"key": _TEXT, "value": _TEXT, "origin": _TEXT}),
            }
        },
        optional=("values",),
    ),
    "engine-list": _object({"engines": {"type": "array", "items": _OPEN}}, optional=("engines",)),
    "audit-verify": _object({"chains": {"type": "array", "items": _OPEN}}, optional=("chains",)),
}


def _account_data(command: str) -> Schema:
    """Return what an account's `data` holds; an account that failed may hold nothing."""
    known = _ACCOUNT_DATA.get(command)
    if known is None:
        return _OPEN
    return {"anyOf": [known, {"type": "object", "maxProperties": 0}]}


def _data(command: str) -> Schema:
    return _DATA.get(command, _OPEN)


def shipped_folder() -> Path:
    """Return the folder of the schemas inside the package."""
    return Path(__file__).parent.parent / "schemas"


def rendered() -> dict[str, str]:
    """Return every schema file's name and text."""
    schemas = {command: schema_of(command) for command in COMMANDS}
    schemas |= {"engine-snapshot": engine_schema(), "venue-snapshot": venue_schema()}
    return {
        f"{name}.v1.json": json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()
    }
