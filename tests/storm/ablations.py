"""Leave protections out, alone and in pairs, and show that the storm notices.

`python -m tests.storm.ablations --seeds 400 --out FILE` writes one row per ablation: how many seeds
were run, how many turned red, and the first of them; a row without a red seed carries its reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from resyncctl.core.policy import Policy
from tests.storm import kit as k
from tests.storm.kit import Kit

Change = Callable[[Kit], Kit]


@dataclass(frozen=True, slots=True)
class Ablation:
    """One protection that can be left out. `alone` says why it may stay green by itself."""

    name: str
    what: str
    change: Change
    alone: str = ""


def _view(wrap: k.Wrap) -> Change:
    return lambda kit: replace(kit, views=(*kit.views, wrap))


def _policy(**numbers: int) -> Change:
    return lambda kit: replace(kit, policy=replace(kit.policy, **numbers))  # type: ignore[arg-type]  # only whole numbers are changed


def _ack_is_proof(kit: Kit) -> Kit:
    return replace(kit, views=(*kit.views, k.AckIsProof), cancels=(*kit.cancels, k.RemembersAcks))


ABLATIONS = (
    Ablation(
        "algo_scope",
        "conditional orders are not listed",
        lambda kit: replace(kit, scopes=k.no_algo),
    ),
    Ablation(
        "gate_first",
        "the gate stays open while orders are cancelled",
        lambda kit: replace(kit, closes_gate=False),
    ),
    Ablation("horizon", "two reads at once are taken for a proof", _policy(staleness_horizon_ms=0)),
    Ablation("quiesce", "requests of the engine under way are forgotten", _view(k.NoQuiesce)),
    Ablation("settle", "an order that is not listed is taken for cancelled", _view(k.NoSettle)),
    Ablation("errors_are_unknown", "what cannot be read counts as empty", _view(k.ErrorsAreEmpty)),
    Ablation(
        "body_guard",
        "a success of any shape counts as an empty list",
        lambda kit: replace(kit, doors=(*kit.doors, k.NoBodyGuard)),
    ),
    Ablation("skew", "the clocks' difference is not waited for", _view(k.NoSkew)),
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
    Ablation("lease", "two operators act at once", lambda kit: replace(kit, leases=k.NoLease)),
)
_ = Policy
