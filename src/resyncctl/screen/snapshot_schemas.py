"""The JSON Schemas of the two snapshot documents, derived from the tables that write them.

Promises: a row's schema comes from the same table in `core.rows_json` that writes and reads the
row, so the two cannot drift apart. Called by `screen.schemas`.
"""

from collections.abc import Iterable, Mapping

from resyncctl.core import rows_json
from resyncctl.core.rows_json import Codec, Entry

Schema = dict[str, object]
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time", "pattern": "Z$"}
_DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_NULL: Schema = {"type": "null"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


_CODECS: tuple[tuple[Codec, Schema], ...] = (
    (rows_json.TEXT, _TEXT),
    (rows_json.FLAG, {"type": "boolean"}),
    (rows_json.DECIMAL, _DECIMAL),
    (rows_json.TIME, _TIME),
    (rows_json.MAYBE_TEXT, _or_null(_TEXT)),
    (rows_json.MAYBE_DECIMAL, _or_null(_DECIMAL)),
    (rows_json.MAYBE_TIME, _or_null(_TIME)),
)


def engine_schema() -> Schema:
    """Return the schema of `resyncctl/engine-snapshot/v1`."""
    names = ("orders", "fills", "positions", "balances")
    return _document(
        "engine-snapshot",
        {
            "account": _TEXT,
            "as_of": _TIME,
            "sequence": _or_null({"type": "integer"}),
            "source": _object(
                {"adapter": _TEXT, "place": _TEXT, "digest": _or_null(_TEXT)}, optional=("digest",)
            ),
            "sections": _object({name: {"$ref": f"#/$defs/{name}"} for name in names}),
            "trouble": {"type": "array"},
            "claims": {"type": "array"},
        },
        optional=("trouble", "claims"),
    )


def venue_schema() -> Schema:
    """Return the schema of `resyncctl/venue-snapshot/v1`."""
    scope = _object({"product": _TEXT, "order_class": _TEXT})
    names = ("fills", "positions", "balances", "ledger")
    product = _object(
        {
            "product": _TEXT,
            "position_mode": _or_null(_TEXT),
            "orders": {
                "type": "array",
                "items": {"allOf": [_object({"scope": scope}), {"$ref": "#/$defs/orders"}]},
            },
            **{name: {"$ref": f"#/$defs/{name}"} for name in names},
        }
    )
    return _document(
        "venue-snapshot",
        {
            "account": _TEXT,
            "venue": _TEXT,
            "as_of": _TIME,
            "scopes": {"type": "array", "items": product},
            "look_ups": {"type": "array"},
            "not_covered": {"type": "array", "items": _object({"what": _TEXT, "reason": _TEXT})},
            "moving": _or_null(_TEXT),
            "clock_offset_ms": _or_null({"type": "integer"}),
            "weight_used": _or_null({"type": "integer"}),
            "identity": {"$ref": "#/$defs/words"},
        },
    )


def _document(
    name: str, properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()
) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:resyncctl:{name}:v1",
        "title": f"resyncctl {name}",
        **_object({"schema": {"const": f"resyncctl/{name}/v1"}, **properties}, optional=optional),
        "$defs": {
            "orders": _section(_row(rows_json.ORDER)),
            "fills": _section(_row(rows_json.FILL)),
            "positions": _section(_row(rows_json.POSITION)),
            "balances": _section(_row(rows_json.BALANCE)),
            "ledger": _section(_row(rows_json.LEDGER)),
            "words": _section(_TEXT),
        },
    }


def _section(row: Schema) -> Schema:
    window = _or_null(_object({"since": _TIME, "until": _TIME}))
    known = _object(
        {
            "known": {"const": True},
            "as_of": _TIME,
            "complete": {"type": "boolean"},
            "window": window,
            "notes": {"type": "array", "items": _TEXT},
            "data": {"type": "array", "items": row},
        }
    )
    return {"oneOf": [known, _object({"known": {"const": False}, "reason": _TEXT})]}


def _row(table: Iterable[Entry]) -> Schema:
    entries = list(table)
    return {
        "type": "object",
        "properties": {entry.key: _value(entry.codec) for entry in entries},
        "required": [entry.key for entry in entries if entry.required],
        "additionalProperties": False,
    }


def _value(codec: Codec) -> Schema:
    """Return the schema of a value; a codec that is none of the common ones is a word."""
    for known, schema in _CODECS:
        if codec is known:
            return schema
    return _TEXT


def _object(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }
