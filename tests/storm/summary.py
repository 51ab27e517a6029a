"""Count what a block of seeds gave, add blocks up, and write the figures of a campaign.

The schema of the campaign's file is read by the generator of the evidence. Called by `campaign`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.storm.arena import meets
from tests.storm.scenario import BREAKING, LYING
from tests.storm.story import GOOD, SeedResult

Pair = tuple[str, ...]
KNOWN = frozenset({*GOOD, "LOCKED", "LOST", "DISCREPANT", "ENGINE_NOT_SILENT"})
"""Answers that say what is: everything else counts as unknown. What a flatten could not reduce, and
says so, is known too."""

ANSWERED = KNOWN - {"ENGINE_NOT_SILENT"}
"""The stricter count: an engine that nobody can prove silent, and a rest that a flatten left over,
count as unknown too."""


@dataclass(slots=True)
class Block:
    """The figures of some seeds. Times are whole seconds of virtual time."""

    seeds: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    second: Counter[str] = field(default_factory=Counter)
    liveness: Counter[str] = field(default_factory=Counter)
    resumed: Counter[str] = field(default_factory=Counter)
    cron: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    safe_s: Counter[int] = field(default_factory=Counter)
    flat_s: Counter[int] = field(default_factory=Counter)
    live_s: Counter[int] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    invariants: Counter[str] = field(default_factory=Counter)
    cells: set[Pair] = field(default_factory=set)
    sites: set[Pair] = field(default_factory=set)
    fired: int = 0
    effective: int = 0
    mutations: int = 0
    creates: int = 0
    virtual_s: float = 0.0
    wall_s: float = 0.0
    red: list[dict[str, Any]] = field(default_factory=list)

    def add(self, result: SeedResult) -> None:
        """Count one seed."""
        scenario, arena = result.scenario, result.arena
        first, others = result.endings[0], result.endings[1:]
        word = first.verdict
        if (
            word not in {*GOOD, "LOCKED", "LOST"}
            and scenario.engine == "rogue"
            and _by_engine(first)
        ):
            word = "ENGINE_NOT_SILENT"
        self.seeds += 1
        self.accounts[f"{scenario.account}/{2 if scenario.second else 1}"] += 1
        self.verdicts[f"{first.program} {word}"] += 1
        self.second.update(f"{one.program} {one.verdict}" for one in others)
        if word not in {*GOOD, "LOCKED", "LOST"}:
            self.reasons.update({_reason(line) for line in first.missing})
        self._times(result)
        self.resumed.update(result.resumed)
        self.cron.update(arena.notes.get("cron", {}))
        self.cells.update(arena.cells)
        self.sites.update(arena.sites)
        self.fired += arena.fired
        self.effective += arena.effective
        self.mutations += arena.oracle.mutations
        self.creates += arena.oracle.creates
        self.virtual_s += result.virtual_s
        self.wall_s += result.wall_s
        if result.red:
            self.invariants.update({_kind(one.invariant, one.what) for one in result.violations})
            self.red.append({"scenario": scenario.to_json(), "violations": arena.oracle.to_json()})

    def _times(self, result: SeedResult) -> None:
        first = result.endings[0]
        if first.verdict == "SAFE":
            self.safe_s[-(-first.took_ms // 1000)] += 1
        if first.verdict == "FLAT":
            self.flat_s[-(-first.took_ms // 1000)] += 1
        for one in result.liveness:
            self.liveness[f"{one.program} {one.verdict}"] += 1
            if one.verdict in GOOD:
                self.live_s[-(-one.took_ms // 1000)] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the block for one line of the campaign's record."""
        return {
            "seeds": self.seeds,
            **{name: dict(getattr(self, name)) for name in COUNTERS},
            "cells": sorted("|".join(one) for one in self.cells),
            "sites": sorted("|".join(one) for one in self.sites),
            **{name: getattr(self, name) for name in SUMS},
            "red": self.red,
        }

    def merge(self, document: dict[str, Any]) -> None:
        """Add a block that was read back."""
        self.seeds += document["seeds"]
        for name in COUNTERS:
            counter = getattr(self, name)
            for key, count in document.get(name, {}).items():
                counter[int(key) if name.endswith("_s") else key] += count
        self.cells.update(tuple(one.split("|")) for one in document["cells"])
        self.sites.update(tuple(one.split("|")) for one in document["sites"])
        for name in SUMS:
            setattr(self, name, getattr(self, name) + document[name])
        self.red += document["red"]


COUNTERS = (
    "verdicts",
    "second",
    "liveness",
    "resumed",
    "cron",
    "reasons",
    "safe_s",
    "flat_s",
    "live_s",
    "accounts",
    "invariants",
)
SUMS = ("fired", "effective", "mutations", "creates", "virtual_s", "wall_s")


def campaign_figures(block: Block, profile: str) -> dict[str, Any]:
    """Return the figures that the evidence is made from."""
    kinds = (*BREAKING, *LYING)
    reachable = sum(meets(kind, site[2]) for site in block.sites for kind in kinds)
    count = block.invariants
    unknown = sum(
        number
        for word, number in block.verdicts.items()
        if word.split()[1] not in KNOWN and word != "flatten RESIDUAL"
    )
    whole = sum(
        number for word, number in block.verdicts.items() if word.split()[1] not in ANSWERED
    )
    return {
        "seeds": block.seeds,
        "profile": profile,
        "false_safe": count["I1"],
        "flips": count["I16 flipped"],
        "increases": count["I16 increased"],
        "unjournaled": count["I23"],
        "violations": dict(sorted(count.items())),
        "accounts": dict(sorted(block.accounts.items())),
        "verdicts": dict(sorted(block.verdicts.items())),
        "second_operator": dict(sorted(block.second.items())),
        "after_faults_stop": dict(sorted(block.liveness.items())),
        "resumed": dict(sorted(block.resumed.items())),
        "timer_reconciles": dict(sorted(block.cron.items())),
        "unknown_rate": round(unknown / max(1, block.seeds), 4),
        "unknown_rate_whole": round(whole / max(1, block.seeds), 4),
        "unknown_reasons": dict(block.reasons.most_common(25)),
        "cells_hit": len(block.cells),
        "cells_reachable": reachable,
        "faults_fired": block.fired,
        "faults_effective": block.effective,
        "mutations": block.mutations,
        "orders_sent": block.creates,
        "virtual_hours": round(block.virtual_s / 3600, 1),
        "time_to_safe": percentiles(block.safe_s),
        "time_to_flat": percentiles(block.flat_s),
        "time_after_faults_stop": percentiles(block.live_s),
        "wall_s": round(block.wall_s, 1),
        "red_seeds": [one["scenario"]["seed"] for one in block.red][:50],
    }


def percentiles(counts: Counter[int]) -> dict[str, int]:
    """Return the 50th, 90th and 99th percentile and the largest of counted seconds."""
    every = sorted(counts.elements())
    if not every:
        return {}
    last = len(every) - 1
    return {
        "p50": every[last // 2],
        "p90": every[last * 9 // 10],
        "p99": every[last * 99 // 100],
        "max": every[last],
    }


def merged(documents: Iterable[dict[str, Any]]) -> Block:
    """Return the sum of blocks."""
    block = Block()
    for document in documents:
        block.merge(document)
    return block


def _by_engine(ending: Any) -> bool:
    return any("engine is silent" in line for line in ending.missing)


def _kind(invariant: str, what: str) -> str:
    if invariant != "I16":
        return invariant
    return "I16 flipped" if "flipped" in what else "I16 increased"


def _reason(line: str) -> str:
    """Return the kind of a reason: names, numbers and details are left out."""
    head = line.split(": ", maxsplit=1)[0] if "engine and exchange" in line else line[:90]
    return re.sub(r"[\w.]*\d[\w.:/-]*", "#", head)
