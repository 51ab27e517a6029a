"""The page about discrepancies names every kind, and its examples are what the comparison says."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from resyncctl.core.compare import compare
from resyncctl.core.compare.words import REMEDIES
from resyncctl.core.discrepancy import EVIDENCE_KINDS, Discrepancy, Kind, Values
from resyncctl.core.money import plain
from tests.fakes.faults import FAULTS
from tests.fakes.worlds import NOW_MS, POLICY, make_world

PAGE = Path(__file__).parents[2] / "docs" / "discrepancies.md"
PARTS = ("**Means.**", "**Usually.**", "**Do.**", "**Example.**")


def sections() -> dict[str, str]:
    """Return the text under each heading of the third level."""
    parts = re.split(r"^### `?([A-Z_]+)`?$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def told(values: Values | None) -> dict[str, object] | None:
    if values is None:
        return None
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
        if value is not None
    }


def example_of(kind: Kind) -> Discrepancy:
    """Return a finding of this kind: a fault in a small world that is always the same."""
    world = make_world(2, symbols=3)
    FAULTS[kind](world)
    findings = compare(world.engine_snapshot(), world.venue_snapshot(), POLICY, NOW_MS).findings
    return next(one for one in findings if one.kind is kind)


def example_text(kind: Kind) -> str:
    """Return the lines that the page shows for this kind."""
    finding = example_of(kind)
    subject = finding.subject.present()
    lines = {
        "severity": finding.severity.value,
        "subject": subject,
        "engine": told(finding.engine),
        "venue": told(finding.venue),
        "delta": told(finding.delta),
        "explained_by": list(finding.explained_by) or None,
        "unexplained": None if finding.unexplained is None else plain(finding.unexplained),
        "detail": finding.detail or None,
    }
    shown = [f"{name}: {json.dumps(value)}" for name, value in lines.items() if value is not None]
    return "\n".join(["```text", f"{kind.value} {finding.id}", *shown, "```"])


def test_every_kind_has_a_section_and_nothing_else_has() -> None:
    assert set(sections()) == {kind.value for kind in Kind}


def test_every_kind_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_section_tells_meaning_cause_act_and_example(kind: Kind) -> None:
    text = sections()[kind.value]
    positions = [text.find(part) for part in PARTS]
    assert -1 not in positions, kind
    assert positions == sorted(positions)
    assert ("verdict" in text and "unknown" in text) or kind not in EVIDENCE_KINDS
    expected = example_text(kind)
    assert expected in text, f"replace the example of {kind.value} by:\n{expected}"
