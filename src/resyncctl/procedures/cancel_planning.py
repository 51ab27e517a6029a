"""Agree on what will be cancelled: plan it, compare it with what was expected, ask the operator.

Nothing is sent here. Called by `procedures.cancel_all`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from resyncctl.core.errors import DeclinedError, StalePlanError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.model import Order, Scope
from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.core.plan import (
    BlastRadius,
    CancelAction,
    CancelPlan,
    Selection,
    blind_actions,
    plan_cancels,
)
from resyncctl.ports.powers import VenueCancel
from resyncctl.ports.prompts import Prompter
from resyncctl.ports.views import Journal, VenueView
from resyncctl.procedures.cancel_report import blast_words, counted
from resyncctl.procedures.cancel_wave import abilities_by_scope
from resyncctl.procedures.prove_absence import Listing

DIGEST_DIGITS_MIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAllRequest:
    """What is asked.

    `protective` is `keep`, `cancel` or `ask`. `assume_yes` answers the confirmation;
    `expected_digest` demands that the plan is still the one that was shown. `known_symbols` are
    (scope, unified, venue symbol) from the engine's state, for scopes that cannot be listed.
    `earlier` are orders of an unfinished run. `closes_gate` is False only for routine hygiene of
    stale orders under a running engine. `lock_timeout_ms` is how long another run is waited for,
    `take_over` the reason to take the account from it. Without `prove` the run ends when listings
    show nothing more to cancel: whoever called it proves the absence.
    """

    account: str
    scopes: tuple[Scope, ...]
    selection: Selection = field(default_factory=Selection)
    protective: str = "keep"
    reason: str
    by: str
    mode: str = "LIVE"
    dry_run: bool = False
    assume_yes: bool = False
    expected_digest: str | None = None
    known_symbols: tuple[tuple[Scope, str, str], ...] = ()
    earlier: tuple[Order, ...] = ()
    closes_gate: bool = True
    deadline_ms: int = 600_000
    lock_timeout_ms: int = 0
    take_over: str | None = None
    prove: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Turns a listing into a plan that somebody agreed to."""

    request: CancelAllRequest
    venue: VenueView
    cancel: VenueCancel
    journal: Journal
    prompter: Prompter

    async def agree(self, listing: Listing) -> tuple[Selection, CancelPlan]:
        """Ask what has to be asked, and return what was agreed on.

        Raises:
            StalePlanError: The plan is not the expected one.
            DeclinedError, NoTerminalError: The operator said no, or cannot be asked.
        """
        selection = self.selection_without_asking()
        plan = self.plan(listing, selection)
        protective = [order for order in listing.orders if order.protective]
        if protective and self.request.protective == "ask":
            choice = await self.prompter.choose(
                f"{counted(len(protective), 'protective stop')} on "
                f"{', '.join(sorted({order.symbol for order in protective}))}: keep or cancel?",
                [("keep", "keep them resting"), ("cancel", "cancel them too")],
                default="keep",
                flag="--include-protective",
            )
            selection = replace(selection, keep_protective=choice != "cancel")
            plan = self.plan(listing, selection)
        self._check_expected(plan)
        self.journal.record(
            "plan", {"digest": plan.digest, "orders": len(plan.orders), "kept": len(plan.kept)}
        )
        if not (self.request.assume_yes or self.request.expected_digest):
            await self._confirm(plan.blast_radius())
        return selection, plan

    def _check_expected(self, plan: CancelPlan) -> None:
        expected = self.request.expected_digest
        if expected is not None and not (
            len(expected) >= DIGEST_DIGITS_MIN and plan.digest.startswith(expected)
        ):
            raise StalePlanError(
                f"the plan for {self.request.account} is not the expected one: "
                f"it is now {plan.digest[:16]}",
                hint="Look at it again with --dry-run and pass the new digest.",
            )

    async def _confirm(self, radius: BlastRadius) -> None:
        question = (
            f"{self.request.mode} {self.venue.profile.venue}/{self.request.account}: "
            f"cancel {blast_words(radius)}?"
        )
        if not await self.prompter.confirm(question, flag="--yes", default=True):
            raise DeclinedError(
                "nothing was cancelled; the gate stays UNSAFE",
                hint="Run it again when you are ready.",
            )

    def selection_without_asking(self) -> Selection:
        """Return the selection with protective orders kept unless they were named."""
        return replace(self.request.selection, keep_protective=self.request.protective != "cancel")

    def plan(self, listing: Listing, selection: Selection) -> CancelPlan:
        """Return the plan for what a listing shows."""
        return plan_cancels(
            self.request.account,
            listing.orders,
            selection,
            abilities_by_scope(self.cancel, self.request.scopes),
        )


def planned(plan: CancelPlan) -> tuple[ActionRecord, ...]:
    """Return the records of a rehearsal: one per request that would be sent."""
    return tuple(
        ActionRecord(
            verb=action.verb,
            account=plan.account,
            scope=str(action.scope),
            symbol=action.symbol,
            venue_order_id=action.orders[0].venue_order_id if len(action.orders) == 1 else None,
            client_order_id=action.orders[0].client_order_id if len(action.orders) == 1 else None,
            orders=len(action.orders),
        )
        for action in plan.actions
    )


def rehearsal(plan: CancelPlan, listing: Listing, selection: Selection) -> AccountOutcome:
    """Return the outcome of a dry run: what would be sent, and what could not be read."""
    status, code = "planned", ExitCode.OK
    if listing.unreadable:
        status, code = "unknown", ExitCode.INCOMPLETE
    return AccountOutcome(
        account=plan.account,
        status=status,
        exit_code=code,
        actions=planned(plan),
        counts={"orders": len(plan.orders), "kept_protective": len(plan.kept)},
        evidence={
            "plan_digest": plan.digest,
            "unreadable": [f"{scope}: {why}" for scope, why in listing.unreadable],
            "blast_radius": blast_words(plan.blast_radius()),
            "selection": selection.words() or "everything",
            "outside_selection": plan.left_alone,
        },
        next_step=f"resyncctl cancel-all {plan.account} --expect-plan {plan.digest[:16]}",
    )


def blind_cancels(
    listing: Listing,
    selection: Selection,
    cancel: VenueCancel,
    known_symbols: Sequence[tuple[Scope, str, str]],
    done: set[Scope],
) -> tuple[CancelAction, ...]:
    """Return cancels for scopes that cannot be listed, on the known symbols; once per scope.

    Every scope that is cancelled so, or was, is in `done` afterwards.
    """
    if not selection.takes_whole_symbols:
        return ()
    actions: list[CancelAction] = []
    for scope, _ in listing.unreadable:
        if scope in done or not cancel.abilities(scope).by_symbol:
            continue
        if selection.keep_protective and scope.order_class.value == "algo":
            continue  # stops live here, and unseen they cannot be told apart
        symbols = [
            (unified, raw)
            for known, unified, raw in known_symbols
            if known == scope and (not selection.symbols or {unified, raw} & set(selection.symbols))
        ]
        done.add(scope)
        actions += blind_actions(scope, symbols)
    return tuple(actions)
