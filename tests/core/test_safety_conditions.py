"""Each condition of SAFE by itself: what holds it, what fails it, and what makes it not known."""

from dataclasses import replace
from typing import Any

import pytest

from resyncctl.core.compare import Comparison
from resyncctl.core.conservation import Conservation
from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject, Verdict
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.policy import Policy
from resyncctl.core.proof import Proof, Settled
from resyncctl.core.safety import (
    Condition,
    Name,
    Safety,
    VerdictKind,
    judge_safety,
    opening_conditions,
)
from resyncctl.core.safety_conditions import SafetyEvidence, safety_conditions
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Known, NotCovered, ProductReading, Unknown, VenueSnapshot
from resyncctl.core.switches import ArmedSwitch, SwitchState, SwitchTarget
from tests.core.test_plan import ALGO, LINEAR, SPOT, order
from tests.core.test_safety import GATE, NOW, VERDICT

NOW_MS = 10_000
EMPTY: Known[Any] = Known((), NOW_MS)
SNAPSHOT = VenueSnapshot(
    account="main",
    venue="binance",
    as_of_ms=9_000,
    products=(
        ProductReading("spot", ((SPOT, EMPTY),), EMPTY, EMPTY, EMPTY, EMPTY),
        ProductReading("linear", ((LINEAR, EMPTY), (ALGO, EMPTY)), EMPTY, EMPTY, EMPTY, EMPTY),
    ),
    identity=Known(("uid 1",), 8_000),
)
CLEAN = Comparison(
    account="main",
    findings=(),
    verdict=Verdict.CLEAN,
    blocks_resume=False,
    counts={},
    sections=(),
)
GOOD = SafetyEvidence(
    now_ms=NOW_MS,
    policy=Policy(),
    manifest=(SPOT, LINEAR, ALGO),
    gate=GateReading(
        account="main", state=GateState.UNSAFE, reason="lost", since_ms=1_000, by="me", sequence=3
    ),
    silence=Silence(kind=SilenceKind.PROVED, how="its process is gone", since_ms=2_000),
    clock="1 ms off",
    venue=SNAPSHOT,
    comparison=CLEAN,
    conservation=Conservation((), (), 2, 3),
    proof=Proof(proved=True, missing=(), valid_reads=3, spanned_ms=45_000),
    unexpected=(),
    kept=(),
    settled=Settled((order(1), order(2)), ()),
    unanswered=(),
    countdowns=SwitchState(),
)
ARMED = ArmedSwitch(
    target=SwitchTarget(product="linear", symbol="BTC/USDT:USDT"), fires_by_ms=NOW_MS + 1
)


def of(name: Name, **changes: Any) -> Condition:
    conditions = safety_conditions(replace(GOOD, **changes))
    assert [condition.name for condition in conditions] == list(Name)
    (found,) = (condition for condition in conditions if condition.name == name)
    others = [condition for condition in conditions if condition.name != name]
    if not isinstance(changes.get("venue"), Unknown):
        assert all(other.holds and other.known for other in others), "one piece of evidence each"
    return found


def test_everything_seen_and_well_is_safe() -> None:
    conditions = safety_conditions(GOOD)
    assert judge_safety(conditions) is Safety.SAFE
    assert {str(c.name): (c.evidence, c.as_of_ms) for c in conditions} == {
        "the gate is closed": ("UNSAFE, lost", 1_000),
        "the engine is silent": ("proved: its process is gone", 2_000),
        "the exchange's clock is measured": ("1 ms off", NOW_MS),
        "the account is the right one": ("uid 1", 8_000),
        "every scope was read": (f"{SPOT}, {LINEAR}, {ALGO}", 9_000),
        "no unexpected order rests": (
            "3 readings of every scope, the last begun 45 s after the last possible landing",
            NOW_MS,
        ),
        "every order has a final status": ("2 orders, each asked for by its id", NOW_MS),
        "two readings agree": ("orders, positions and balances read twice", 9_000),
        "every change has a cause": (
            "positions and balances follow from 2 fills and 3 ledger entries",
            NOW_MS,
        ),
        "engine and exchange agree": ("nothing differs", NOW_MS),
        "no request is left without an answer": ("the journals hold none", NOW_MS),
        "no countdown may still cancel orders": ("none runs", NOW_MS),
    }


MOVING = replace(SNAPSHOT, moving="orders moved")
PARTIAL = replace(
    SNAPSHOT,
    products=(
        SNAPSHOT.products[0],
        replace(SNAPSHOT.products[1], orders=((LINEAR, Unknown("timed out")), (ALGO, EMPTY))),
    ),
)
CUT = replace(
    SNAPSHOT,
    products=(
        SNAPSHOT.products[0],
        replace(
            SNAPSHOT.products[1],
            orders=((LINEAR, EMPTY), (ALGO, replace(EMPTY, complete=False, notes=("a cap",)))),
        ),
    ),
)


@pytest.mark.invariant("I2")
@pytest.mark.parametrize(
    ("name", "changes", "evidence"),
    [
        (
            Name.GATE,
            {"gate": replace(GOOD.gate, trusted=False, reason="corrupt")},
            "its file cannot be trusted: corrupt",
        ),
        (Name.GATE, {"gate": replace(GOOD.gate, since_ms=None)}, "it is not known since when"),
        (
            Name.SILENCE,
            {"silence": Silence(kind=SilenceKind.UNPROVED, how="nothing observes it")},
            "nothing observes it",
        ),
        (
            Name.SILENCE,
            {"silence": Silence(kind=SilenceKind.PROVED, how="but since when?")},
            "but since when?",
        ),
        (Name.CLOCK, {"clock": Unknown("no answer")}, "no answer"),
        (
            Name.IDENTITY,
            {"venue": replace(SNAPSHOT, identity=Unknown("key refused"))},
            "key refused",
        ),
        (
            Name.IDENTITY,
            {"venue": replace(SNAPSHOT, identity=EMPTY)},
            "the exchange did not say whose account this is",
        ),
        (Name.SCOPES, {"manifest": ()}, "no scope is declared"),
        (Name.SCOPES, {"venue": PARTIAL}, f"{LINEAR}: timed out"),
        (Name.SCOPES, {"venue": CUT}, f"{ALGO}: a cap"),
        (
            Name.SCOPES,
            {"venue": replace(SNAPSHOT, products=SNAPSHOT.products[:1])},
            f"{LINEAR}: it was not read; {ALGO}: it was not read",
        ),
        (
            Name.SCOPES,
            {"venue": replace(SNAPSHOT, not_covered=(NotCovered("options", "no plan"),))},
            "options: no plan",
        ),
        (
            Name.ABSENCE,
            {"proof": None},
            "no reading has begun after the last possible landing",
        ),
        (
            Name.ABSENCE,
            {"proof": replace(GOOD.proof, proved=False, missing=("a", "b"))},  # type: ignore[type-var]  # not None
            "a; b",
        ),
        (
            Name.SETTLED,
            {"settled": Settled((), (("k1", "the exchange still reports NEW"), ("k2", "gone?")))},
            "k1: the exchange still reports NEW; k2: gone?",
        ),
        (Name.STABLE, {"venue": MOVING}, "orders moved"),
        (Name.CONSERVED, {"conservation": Unknown("no ledger")}, "no ledger"),
        (
            Name.CONSERVED,
            {"conservation": Conservation(("v",), ("u",))},
            "u; v",
        ),
        (Name.AGREED, {"comparison": Unknown("no checkpoint")}, "no checkpoint"),
        (
            Name.AGREED,
            {"comparison": replace(CLEAN, verdict=Verdict.UNKNOWN)},
            "not everything was seen",
        ),
        (Name.ANSWERED, {"unanswered": Unknown("no journal")}, "no journal"),
        (Name.ANSWERED, {"unanswered": ("run:1", "run:2")}, "run:1; run:2"),
        (
            Name.COUNTDOWNS,
            {"countdowns": SwitchState(unresolved=(ARMED,))},
            "linear BTC/USDT:USDT; over in 1 s",
        ),
    ],
)
def test_what_was_not_seen_is_not_known(name: Name, changes: dict[str, Any], evidence: str) -> None:
    found = of(name, **changes)
    assert (found.known, found.holds, found.evidence) == (False, False, evidence)
    assert judge_safety(safety_conditions(replace(GOOD, **changes))) is Safety.UNKNOWN


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("name", [Name.IDENTITY, Name.SCOPES, Name.STABLE])
def test_an_exchange_that_was_not_read_leaves_three_conditions_open(name: Name) -> None:
    found = of(name, venue=Unknown("it is away"))
    assert (found.known, found.holds, found.evidence) == (False, False, "it is away")


FINDING = Discrepancy(
    kind=Kind.ORPHAN_ORDER,
    severity=Severity.CRITICAL,
    subject=Subject(account="main", symbol="BTC/USDT", venue_order_id="77"),
)


@pytest.mark.parametrize(
    ("name", "changes", "evidence"),
    [
        (Name.GATE, {"gate": replace(GOOD.gate, state=GateState.RUNNING)}, "RUNNING, lost"),
        (
            Name.GATE,
            {"gate": replace(GOOD.gate, state=GateState.RUNNING, since_ms=None, reason="")},
            "RUNNING",
        ),
        (
            Name.ABSENCE,
            {"unexpected": (order(1),), "proof": None},
            f"1 rest: {order(1).symbol} {order(1).side.value} {order(1).venue_order_id} ({SPOT})",
        ),
        (
            Name.SETTLED,
            {"settled": Settled((), (("k1", "the exchange still reports NEW"),))},
            "k1: the exchange still reports NEW",
        ),
        (Name.CONSERVED, {"conservation": Conservation(("v", "w"), ())}, "v; w"),
        (
            Name.AGREED,
            {
                "comparison": replace(
                    CLEAN,
                    verdict=Verdict.DISCREPANT,
                    findings=(FINDING, FINDING, replace(FINDING, severity=Severity.INFO)),
                )
            },
            "2 findings: ORPHAN_ORDER BTC/USDT 77, ORPHAN_ORDER BTC/USDT 77",
        ),
        (
            Name.COUNTDOWNS,
            {"countdowns": SwitchState(armed=(ARMED, replace(ARMED, fires_by_ms=NOW_MS + 1_001)))},
            "linear BTC/USDT:USDT, linear BTC/USDT:USDT; over in 2 s",
        ),
    ],
)
def test_what_was_seen_and_is_wrong_does_not_hold(
    name: Name, changes: dict[str, Any], evidence: str
) -> None:
    found = of(name, **changes)
    assert (found.known, found.holds, found.evidence) == (True, False, evidence)
    assert judge_safety(safety_conditions(replace(GOOD, **changes))) is Safety.DISCREPANT


@pytest.mark.parametrize(
    ("name", "changes", "evidence"),
    [
        (Name.GATE, {"gate": replace(GOOD.gate, state=GateState.SAFE, reason="")}, "SAFE"),
        (
            Name.SILENCE,
            {"silence": Silence(kind=SilenceKind.ATTESTED, how="me", since_ms=1)},
            "attested: me",
        ),
        (
            Name.SILENCE,
            {
                "silence": Silence(kind=SilenceKind.UNPROVED, how="nobody knows"),
                "policy": Policy(require_engine_silence=False),
            },
            "NOT PROVED, and the policy does not demand it: nobody knows",
        ),
        (
            Name.COUNTDOWNS,
            {"countdowns": SwitchState(armed=(replace(ARMED, fires_by_ms=NOW_MS),))},
            "none runs",
        ),
        (
            Name.IDENTITY,
            {"venue": replace(SNAPSHOT, identity=Known(tuple("abcdefg"), 1))},
            "a, b, c, d, e and 2 more",
        ),
        (
            Name.IDENTITY,
            {"venue": replace(SNAPSHOT, identity=Known(tuple("abcde"), 1))},
            "a, b, c, d, e",
        ),
    ],
)
def test_what_holds_says_why(name: Name, changes: dict[str, Any], evidence: str) -> None:
    found = of(name, **changes)
    assert (found.known, found.holds, found.evidence) == (True, True, evidence)


@pytest.mark.invariant("I21")
def test_kept_orders_are_named_among_what_is_expected() -> None:
    found = of(Name.ABSENCE, kept=(order(4),))
    assert found.holds
    assert "; 1 expected: " in found.evidence
    assert str(order(4).venue_order_id) in found.evidence


def test_an_order_without_the_venue_s_id_is_named_by_its_own() -> None:
    nameless = replace(order(1, client="mine"), venue_order_id=None)
    assert " mine (" in of(Name.ABSENCE, unexpected=(nameless,), proof=None).evidence
    bare = replace(nameless, client_order_id=None)
    assert " ? (" in of(Name.ABSENCE, unexpected=(bare,), proof=None).evidence


def lines(**changes: Any) -> dict[str, tuple[bool, str]]:
    given: dict[str, Any] = {"gate": GATE, "verdict": VERDICT, "now_ms": 3_999, "newest": None}
    given |= changes
    found = opening_conditions(
        given["gate"],
        GateState.SAFE if given["gate"].state is GateState.UNSAFE else GateState.RUNNING,
        given["verdict"],
        NOW,
        given["now_ms"],
        newest=given["newest"],
    )
    return {condition.name: (condition.holds, condition.evidence) for condition in found}


@pytest.mark.invariant("I5", "I11")
def test_the_words_of_an_opening_tell_ages_and_order() -> None:
    told = lines()
    assert told["gate file is intact"] == (True, "lost")
    assert told["last verdict is safe"] == (True, "safe in run run-1")
    assert told["verdict is fresh"] == (True, "1 s old, valid for 120 s")
    assert told["verdict is younger than the gate's closing"] == (
        True,
        "the verdict was made 1.0 s after the gate was closed",
    )
    before = lines(gate=replace(GATE, since_ms=3_500, reason=""))
    assert before["gate file is intact"] == (True, "UNSAFE")
    assert before["verdict is younger than the gate's closing"] == (
        False,
        "the verdict was made 1.5 s before the gate was closed",
    )
    assert lines(gate=replace(GATE, since_ms=None))[
        "verdict is younger than the gate's closing"
    ] == (False, "it is not known when the gate was closed")
    assert lines(now_ms=1_000)["verdict is fresh"] == (False, "0 s old, valid for 120 s")
    blocked = replace(VERDICT, verdict=Verdict.DISCREPANT)
    assert lines(verdict=blocked)["last verdict is safe"] == (
        False,
        f"{Verdict.DISCREPANT.value} in run run-1",
    )


@pytest.mark.parametrize(
    ("now_ms", "fresh"), [(1_999, False), (2_000, True), (122_000, True), (122_001, False)]
)
def test_a_verdict_is_fresh_from_its_moment_to_its_last(now_ms: int, fresh: bool) -> None:
    assert lines(now_ms=now_ms)["verdict is fresh"][0] is fresh


def test_a_verdict_of_the_very_moment_of_the_closing_counts() -> None:
    told = lines(gate=replace(GATE, since_ms=2_000))
    assert told["verdict is younger than the gate's closing"] == (
        True,
        "the verdict was made 0.0 s after the gate was closed",
    )


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("state", "sequence", "holds"),
    [
        (GateState.UNSAFE, 3, True),
        (GateState.UNSAFE, 4, False),
        (GateState.UNSAFE, 2, False),
        (GateState.SAFE, 3, True),
        (GateState.SAFE, 4, True),
        (GateState.SAFE, 5, False),
    ],
)
def test_only_the_step_to_safe_may_lie_between(
    state: GateState, sequence: int, holds: bool
) -> None:
    gate = replace(GATE, state=state, sequence=sequence)
    assert lines(gate=gate)["gate was not moved since"][0] is holds
    nowhere = replace(VERDICT, gate_sequence=None)
    assert lines(gate=gate, verdict=nowhere)["gate was not moved since"][0] is False


@pytest.mark.invariant("I5")
def test_a_comparison_alone_is_no_safety_verdict() -> None:
    compared = replace(VERDICT, kind=VerdictKind.RECONCILE)
    assert not compared.opens
    assert lines(verdict=compared)["a safety verdict exists"][0] is False
    assert lines(verdict=None)["a safety verdict exists"][0] is False


@pytest.mark.parametrize(
    ("run_id", "as_of_ms", "holds"),
    [
        ("run-1", 2_000, True),
        ("run-1", 2_500, True),
        ("run-2", 1_999, True),
        ("run-2", 2_000, False),
        ("run-2", 2_500, False),
    ],
)
def test_a_later_word_takes_the_verdict_back(run_id: str, as_of_ms: int, holds: bool) -> None:
    other = replace(
        VERDICT,
        kind=VerdictKind.RECONCILE,
        verdict=Verdict.DISCREPANT,
        run_id=run_id,
        as_of_ms=as_of_ms,
    )
    assert lines(newest=other)["nothing newer contradicts it"][0] is holds
    clean = replace(other, verdict=Verdict.CLEAN)
    assert lines(newest=clean)["nothing newer contradicts it"][0] is True
    blocking = replace(clean, blocks_resume=True)
    assert lines(newest=blocking)["nothing newer contradicts it"][0] is holds


def test_what_hides_several_things_is_told_once() -> None:
    unread = [
        Discrepancy(
            kind=Kind.SECTION_UNREADABLE,
            severity=Severity.MAJOR,
            subject=Subject(account="main"),
            detail=f"The engine {name} could not be read: there is no checkpoint.",
        )
        for name in ("orders", "fills")
    ]
    moving = replace(
        unread[0], kind=Kind.MOVING, detail="The account moved while it was read.", id=""
    )
    comparison = replace(CLEAN, findings=(*unread, moving), verdict=Verdict.UNKNOWN)
    found = of(Name.AGREED, comparison=comparison)
    assert not found.known
    assert found.evidence == (
        "The engine orders could not be read, The engine fills could not be read: "
        "there is no checkpoint; The account moved while it was read"
    )
