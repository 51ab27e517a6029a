"""Snapshots as documents: `resyncctl/engine-snapshot/v1` and `resyncctl/venue-snapshot/v1`.

Writing and reading again gives an equal snapshot. Reading is strict, because the documents are
evidence: duplicate keys, floats, NaN, an unknown schema, a missing or unknown key, or a wrong type
are refused with the place in the document. Only at the top level are further keys allowed, so that
the output of `engine show --json` can be fed to `reconcile --engine-snapshot` as it is.
Pure: text in, text out; files are the caller's business.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from resyncctl.core.errors import CorruptDataError
from resyncctl.core.model import Order, Scope
from resyncctl.core.rows_json import BadValue, read_object, row_to_json, shown, time_text
from resyncctl.core.snapshot import (
    Claim,
    EngineSnapshot,
    LookUp,
    NotFound,
    OrderReference,
    ProductReading,
    Section,
    Unknown,
    VenueSnapshot,
)
from resyncctl.core.snapshot_reading import parse, read_engine, read_venue

ENGINE_SCHEMA: Final = "resyncctl/engine-snapshot/v1"
VENUE_SCHEMA: Final = "resyncctl/venue-snapshot/v1"

T = TypeVar("T")
_HINT: Final = "Save the snapshot again with `engine show --json` or `venue show --json`."


def dumps(snapshot: EngineSnapshot | VenueSnapshot) -> str:
    """Return the snapshot as one JSON document, keys in a fixed order."""
    document = (
        engine_to_json(snapshot)
        if isinstance(snapshot, EngineSnapshot)
        else venue_to_json(snapshot)
    )
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)


def loads_engine(text: str | bytes) -> EngineSnapshot:
    """Given an engine snapshot document, return the snapshot.

    Raises:
        CorruptDataError: The document is not what its schema promises; names the place.
    """
    return _load(text, ENGINE_SCHEMA, read_engine)


def loads_venue(text: str | bytes) -> VenueSnapshot:
    """Given a venue snapshot document, return the snapshot.

    Raises:
        CorruptDataError: The document is not what its schema promises; names the place.
    """
    return _load(text, VENUE_SCHEMA, read_venue)


def loads(text: str | bytes) -> EngineSnapshot | VenueSnapshot:
    """Given either document, return the snapshot that its schema names.

    Raises:
        CorruptDataError: The document is neither; names the place.
    """
    schema = _load(text, None, lambda content: content.get("schema"))
    return loads_venue(text) if schema == VENUE_SCHEMA else loads_engine(text)


def engine_to_json(snapshot: EngineSnapshot) -> dict[str, object]:
    """Return an engine snapshot as a JSON object."""
    return {
        "schema": ENGINE_SCHEMA,
        "account": snapshot.account,
        "as_of": time_text(snapshot.as_of_ms),
        "sequence": snapshot.sequence,
        "source": {
            "adapter": snapshot.source.adapter,
            "place": snapshot.source.place,
            "digest": snapshot.source.digest,
        },
        "sections": {
            "orders": _section_to_json(snapshot.orders),
            "fills": _section_to_json(snapshot.fills),
            "positions": _section_to_json(snapshot.positions),
            "balances": _section_to_json(snapshot.balances),
        },
        "trouble": [{"kind": kind, "reason": reason} for kind, reason in snapshot.trouble],
        "claims": [_claim_to_json(claim) for claim in snapshot.claims],
    }


def venue_to_json(snapshot: VenueSnapshot) -> dict[str, object]:
    """Return a venue snapshot as a JSON object, scope by scope with its coverage."""
    return {
        "schema": VENUE_SCHEMA,
        "account": snapshot.account,
        "venue": snapshot.venue,
        "as_of": time_text(snapshot.as_of_ms),
        "scopes": [_reading_to_json(reading) for reading in snapshot.products],
        "look_ups": [
            {"reference": _reference_to_json(reference), "answer": _answer_to_json(answer)}
            for reference, answer in snapshot.look_ups
        ],
        "not_covered": [{"what": gap.what, "reason": gap.reason} for gap in snapshot.not_covered],
        "moving": snapshot.moving,
        "clock_offset_ms": snapshot.clock_offset_ms,
        "weight_used": snapshot.weight_used,
        "identity": _section_to_json(snapshot.identity),
    }


def _section_to_json(section: Section[Any]) -> dict[str, object]:
    if isinstance(section, Unknown):
        return {"known": False, "reason": section.reason}
    window = section.window
    return {
        "known": True,
        "as_of": time_text(section.as_of_ms),
        "complete": section.complete,
        "window": (
            {"since": time_text(window.since_ms), "until": time_text(window.until_ms)}
            if window
            else None
        ),
        "notes": list(section.notes),
        "data": [row if isinstance(row, str) else row_to_json(row) for row in section.data],
    }


def _reading_to_json(reading: ProductReading) -> dict[str, object]:
    return {
        "product": reading.product,
        "position_mode": reading.position_mode,
        "orders": [
            {"scope": _scope_to_json(scope), **_section_to_json(section)}
            for scope, section in reading.orders
        ],
        "fills": _section_to_json(reading.fills),
        "positions": _section_to_json(reading.positions),
        "balances": _section_to_json(reading.balances),
        "ledger": _section_to_json(reading.ledger),
    }


def _scope_to_json(scope: Scope) -> dict[str, object]:
    return {"product": scope.product, "order_class": scope.order_class.value}


def _claim_to_json(claim: Claim) -> dict[str, object]:
    return {
        "owner": claim.owner,
        "venue_order_id": claim.venue_order_id,
        "client_order_id": claim.client_order_id,
        "symbol": claim.symbol,
        "until": None if claim.until_ms is None else time_text(claim.until_ms),
    }


def _reference_to_json(reference: OrderReference) -> dict[str, object]:
    return {
        "product": reference.product,
        "symbol": reference.symbol,
        "venue_order_id": reference.venue_order_id,
        "client_order_id": reference.client_order_id,
        "scope": _scope_to_json(reference.scope),
    }


def _answer_to_json(answer: LookUp) -> dict[str, object]:
    if isinstance(answer, Order):
        return {"order": row_to_json(answer)}
    if isinstance(answer, NotFound):
        return {"not_found": answer.detail, "asked": _reference_to_json(answer.reference)}
    return {"unknown": answer.reason}


def _load(text: str | bytes, schema: str | None, read: Callable[[Mapping[str, object]], T]) -> T:
    """Parse strictly, check the schema, read; every refusal becomes one `CorruptDataError`."""
    try:
        content = read_object(parse(text))
        if schema is not None and content.get("schema") != schema:
            found = shown(content.get("schema"))
            raise BadValue(f"expected the schema {schema!r}, found {found}")
        return read(content)
    except BadValue as error:
        raise CorruptDataError(
            f"The snapshot document is not usable: {error.message}.",
            place=_path(error.steps),
            hint=_HINT,
        ) from None


def _path(steps: Iterable[str]) -> str:
    outermost_first = reversed(list(steps))
    return "$" + "".join(step if step.startswith("[") else f".{step}" for step in outermost_first)
