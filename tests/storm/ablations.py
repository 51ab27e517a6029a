"""Leave protections out, alone and in pairs, and show that the storm notices.

`python -m tests.storm.ablations --seeds 400 --out FILE` writes one row per ablation: how many seeds
were run, how many turned red, and the first of them; a row without a red seed carries its reason.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.storm import kit as k
from tests.storm.kit import Kit
from tests.storm.scenario import PROFILES, Scenario, draw
from tests.storm.story import SeedResult, run_seed, warm_up

Change = Callable[[Kit], Kit]
World = Callable[[Scenario], Scenario]


def _unchanged(kit: Kit) -> Kit:
    return kit


def _as_drawn(scenario: Scenario) -> Scenario:
    return scenario


@dataclass(frozen=True, slots=True)
class Ablation:
    """One protection that can be left out. `alone` says why it may stay green by itself.

    `profile` is the kind of world that shows it, where that is not the common one; `world` makes a
    drawn scenario into one where the protection matters, and `given` is how the product is put
    together there. With `world` and `given`, but without `change`, no seed may turn red.
    """

    name: str
    what: str
    change: Change
    alone: str = ""
    profile: str = ""
    world: World = _as_drawn
    given: Change = _unchanged


def _view(wrap: k.Wrap) -> Change:
    return lambda kit: replace(kit, views=(*kit.views, wrap))


def _policy(**numbers: int) -> Change:
    return lambda kit: replace(kit, policy=replace(kit.policy, **numbers))  # type: ignore[arg-type]  # only whole numbers are changed


def _ack_is_proof(kit: Kit) -> Kit:
    return replace(kit, views=(*kit.views, k.AckIsProof), cancels=(*kit.cancels, k.RemembersAcks))


def _told_by_others(kit: Kit) -> Kit:
    """The engine's silence is known from somebody else, not from its own word."""
    return replace(kit, silence=k.AssumedSilent)


def _restarted(scenario: Scenario) -> Scenario:
    """An engine that runs all the time, and honours the gate when it sees it."""
    return replace(scenario, engine="honest")


def _outage(scenario: Scenario) -> Scenario:
    """An exchange that refuses most requests, and never for long."""
    return replace(scenario, faults=("unavailable_503", "server_error_500"), rate=0.8)


def _odd_bodies(scenario: Scenario) -> Scenario:
    """An exchange that often says 200 and something that is no list."""
    return replace(scenario, faults=("body_object", "body_null", "body_html"), rate=0.5)


def _late_orders(scenario: Scenario) -> Scenario:
    """One operator flattens; requests reach the exchange late, and answers get lost."""
    faults = ("request_delayed", "answer_lost")
    return replace(
        scenario, program="flatten", second="", engine="absent", faults=faults, rate=0.12
    )


def _two_flatten(scenario: Scenario) -> Scenario:
    """Two operators flatten the same account at the same time; requests come late."""
    together = replace(scenario, program="flatten", second="flatten", second_after_ms=0)
    return replace(together, engine="absent", faults=("request_delayed",), rate=0.15)


ABLATIONS = (
    Ablation(
        "algo_scope",
        "conditional orders are neither listed nor cancelled",
        lambda kit: replace(kit, scopes=k.no_algo),
    ),
    Ablation(
        "gate",
        "the engine does not see that the gate is closed, and others vouch for its silence",
        lambda kit: replace(kit, engine_sees_gate=False),
        profile="calm",
        world=_restarted,
        given=_told_by_others,
    ),
    Ablation(
        "silence",
        "the engine is taken to be silent because the gate is closed",
        lambda kit: replace(kit, silence=k.AssumedSilent),
        profile="rogue",
    ),
    Ablation(
        "horizon",
        "reads at one moment are taken for a proof",
        _policy(staleness_horizon_ms=0),
    ),
    Ablation(
        "quiesce",
        "requests of the engine that are under way are forgotten",
        _view(k.NoQuiesce),
        "reads over the whole staleness horizon outlast every request under way",
    ),
    Ablation(
        "settle",
        "an order that is not listed is taken for cancelled",
        _view(k.NoSettle),
        "reads over the whole staleness horizon see what a status would tell",
    ),
    Ablation(
        "errors_are_unknown",
        "what cannot be read counts as empty",
        _view(k.ErrorsAreEmpty),
        world=_outage,
    ),
    Ablation(
        "body_guard",
        "a success of any shape counts as an empty list",
        lambda kit: replace(kit, doors=(*kit.doors, k.NoBodyGuard)),
        world=_odd_bodies,
    ),
    Ablation(
        "skew",
        "the clocks' difference is not waited for",
        _view(k.NoSkew),
        "reads over the whole staleness horizon outlast every skew of the clocks",
    ),
    Ablation(
        "deadline",
        "requests carry no deadline that the exchange would keep",
        lambda kit: replace(kit, doors=(*kit.doors, k.LongWindow)),
        profile="calm",
        world=_late_orders,
    ),
    Ablation(
        "reduce_only",
        "reducing orders leave without the flag that makes the exchange clip them",
        lambda kit: replace(kit, doors=(*kit.doors, k.NoReduceOnly)),
    ),
    Ablation("ack_is_no_proof", "an acknowledged cancel counts as gone", _ack_is_proof),
    Ablation(
        "journal_first",
        "the intent is written after the request",
        lambda kit: replace(kit, journals_first=False),
    ),
    Ablation(
        "one_wire_request",
        "the HTTP client repeats requests by itself",
        lambda kit: replace(kit, hidden_resend=True),
    ),
    Ablation(
        "lease",
        "two operators act at once",
        lambda kit: replace(kit, leases=k.NoLease),
        profile="calm",
        world=_two_flatten,
    ),
)

PAIRS = (
    ("gate", "silence"),
    ("horizon", "quiesce"),
    ("horizon", "settle"),
    ("horizon", "errors_are_unknown"),
    ("horizon", "body_guard"),
    ("horizon", "skew"),
    ("quiesce", "settle"),
    ("settle", "errors_are_unknown"),
    ("settle", "body_guard"),
    ("errors_are_unknown", "body_guard"),
    ("quiesce", "skew"),
    ("deadline", "reduce_only"),
    ("deadline", "lease"),
    ("lease", "reduce_only"),
    ("lease", "journal_first"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one ablation, or a pair of them, did."""

    names: tuple[str, ...]
    what: str
    seeds_run: int
    red: int
    first_red_seed: int | None
    invariants: tuple[str, ...]
    explanation: str

    def to_json(self) -> dict[str, Any]:
        """Return the row for the evidence."""
        return {**asdict(self), "name": " + ".join(self.names)}


def run_left_out(
    chosen: Sequence[Ablation], seed: int, profile: str, *, intact: bool = False
) -> SeedResult:
    """Run one seed in the world of these ablations, without their protections unless `intact`."""
    kit = Kit()
    scenario = draw(seed, PROFILES[next((one.profile for one in chosen if one.profile), profile)])
    for one in chosen:
        kit = one.given(kit)
        kit = kit if intact else one.change(kit)
        scenario = one.world(scenario)
    return run_seed(scenario, kit)


def run_one(job: tuple[tuple[str, ...], str, int]) -> Row:
    """Leave the named protections out until a seed turns red, or until there are no more."""
    names, profile, most = job
    chosen = [one for one in ABLATIONS if one.name in names]
    words = "; ".join(one.what for one in chosen)
    for seed in range(most):
        result = run_left_out(chosen, seed, profile)
        if result.red:
            broken = tuple(sorted({one.invariant for one in result.violations}))
            return Row(names, words, seed + 1, 1, seed, broken, "")
    why = "; ".join(one.alone for one in chosen if one.alone) or "not explained"
    return Row(names, words, most, 0, None, (), why)


def main(arguments: list[str] | None = None) -> int:
    """Run every ablation; code 1 when one stays green without an explanation."""
    parser = argparse.ArgumentParser(prog="tests.storm.ablations", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="the most seeds for one row")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="harsh")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], help="names of single ablations")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    wanted: list[tuple[str, ...]] = [(one.name,) for one in ABLATIONS]
    wanted += PAIRS
    if asked.only:
        wanted = [(name,) for name in asked.only]
    warm_up()
    rows: list[dict[str, Any]] = []
    with multiprocessing.get_context("fork").Pool(asked.workers) as pool:
        jobs = [(names, asked.profile, asked.seeds) for names in wanted]
        for row in pool.imap(run_one, jobs):
            rows.append(row.to_json())
            sys.stderr.write(f"{rows[-1]['name']}: {row.first_red_seed} {row.invariants}\n")
    text = json.dumps(rows, indent=2) + "\n"
    if asked.out is None:
        sys.stdout.write(text)
    else:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(text)
    return int(any(not row["red"] and row["explanation"] == "not explained" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
