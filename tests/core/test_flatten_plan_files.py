"""A saved plan is read strictly: every missing, foreign or changed part is refused."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from resyncctl.core.errors import CorruptDataError
from resyncctl.core.flatten_plan_json import plan_from_text, plan_to_text
from tests.core.test_flatten_plans import ETH, held, plan

PLAN = plan(held("1"), held("-2", ETH), unread=("spot",))
TEXT = plan_to_text(PLAN)


def resealed(document: dict[str, Any]) -> str:
    """Somebody who knows the format writes a fitting checksum for a changed content."""
    canonical = json.dumps(document["plan"], sort_keys=True, separators=(",", ":"))
    document["checksum"] = hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps(document)


def changed(change: Callable[[dict[str, Any]], None]) -> str:
    document = json.loads(TEXT)
    change(document)
    return resealed(document) if "plan" in document else json.dumps(document)


def test_a_plan_is_its_own_file() -> None:
    assert plan_from_text(TEXT, "p") == PLAN
    assert TEXT.startswith('{\n  "schema"')
    assert plan_from_text(changed(lambda document: None), "p") == PLAN


@pytest.mark.parametrize("key", ["schema", "digest", "checksum", "plan"])
def test_a_missing_part_is_named(key: str) -> None:
    document = json.loads(TEXT)
    del document[key]
    with pytest.raises(CorruptDataError, match=f"'{key}' is missing"):
        plan_from_text(json.dumps(document), "p")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document.update(extra=1), "extra"),
        (lambda document: document["plan"].update(extra=1), "extra"),
        (lambda document: document["plan"]["targets"][0].update(extra=1), "extra"),
        (lambda document: document["plan"].update(targets={}), "expected a list"),
        (lambda document: document["plan"].update(unread="spot"), "expected a list"),
        (lambda document: document["plan"]["targets"][0].update(protection=1), ""),
        (lambda document: document["plan"]["targets"][0].update(protection="none"), ""),
        (lambda document: document.update(digest="0" * 64), "does not belong"),
    ],
)
def test_a_changed_part_is_refused_even_with_a_fitting_checksum(
    change: Callable[[dict[str, Any]], None], words: str
) -> None:
    with pytest.raises(CorruptDataError) as refused:
        plan_from_text(changed(change), "plan.json")
    assert words in refused.value.message
    assert str(refused.value.place).startswith("plan.json")


def test_a_target_without_protection_survives_its_file() -> None:
    blocked = plan(held("1"), modes={})
    assert blocked.targets[0].protection is None
    assert plan_from_text(plan_to_text(blocked), "p") == blocked
