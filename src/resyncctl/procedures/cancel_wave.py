"""Send one wave of cancels. Every request has its own journaled intent, and at most one is sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resyncctl.core.model import Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.plan import CancelAction
from resyncctl.ports.powers import LeaseKeeper, VenueCancel
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import Clock, Journal, Progress


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt: what was asked, how it was answered, and until when it can take effect."""

    action: CancelAction
    outcome: MutationOutcome
    deadline_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveTools:
    """What a wave needs: the power to cancel, the record, the lease, and time.

    Every attempt is appended to `sent` as soon as it was made, whatever happens to the others.
    """

    account: str
    cancel: VenueCancel
    journal: Journal
    lease: LeaseKeeper
    clock: Clock
    progress: Progress
    request_validity_ms: int
    interrupted: Interrupted
    sent: list["Sent"]


async def send_wave(actions: Sequence[CancelAction], tools: WaveTools) -> tuple[Sent, ...]:
    """Send every action, as many at once as the venue allows; stop starting when interrupted.

    Raises:
        LockedError: The lease was lost. Requests under way are finished and settled first.
        RecordUnwritableError: An intent could not be written anywhere.
    """
    width = min(
        (tools.cancel.abilities(scope).parallel for scope in {a.scope for a in actions}), default=1
    )
    slots = asyncio.Semaphore(max(1, width))
    results = await asyncio.gather(
        *(_send(action, tools, slots) for action in actions), return_exceptions=True
    )
    sent: list[Sent] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        if result is not None:
            sent.append(result)
    return tuple(sent)


async def _send(action: CancelAction, tools: WaveTools, slots: asyncio.Semaphore) -> Sent | None:
    async with slots:
        if tools.interrupted():
            return None
        now_ms = tools.clock.now_ms()
        fencing_token = tools.lease.assure(now_ms, tools.request_validity_ms)
        permit = tools.journal.intend(
            action.verb,
            intent_details(tools.account, action),
            deadline_ms=now_ms + tools.request_validity_ms,
            fencing_token=fencing_token,
        )
        if action.verb == "cancel_symbol":
            outcome = await tools.cancel.cancel_symbol(
                action.scope, action.symbol, action.venue_symbol, permit
            )
        else:
            outcome = await tools.cancel.cancel_order(action.orders[0], permit)
        attempt = Sent(action, outcome, permit.deadline_ms)
        tools.sent.append(attempt)
        tools.journal.settle(permit, outcome)
        tools.progress.say(
            tools.account,
            "cancel",
            f"{action.verb} {action.symbol} {outcome.kind.value}",
            orders=len(action.orders),
        )
        return attempt


def intent_details(account: str, action: CancelAction) -> dict[str, object]:
    """Return what the journal keeps of an action: enough for a later run to finish it."""
    return {
        "account": account,
        "scope": str(action.scope),
        "symbol": action.symbol,
        "venue_symbol": action.venue_symbol,
        "orders": [
            {
                "venue_order_id": order.venue_order_id,
                "client_order_id": order.client_order_id,
            }
            for order in action.orders
        ],
    }


def longest_wish_ms(sent: Sequence[Sent]) -> int:
    """Return how long the exchange asked us to wait before the next wave, 0 when it did not."""
    return max((item.outcome.retry_after_ms or 0 for item in sent), default=0)


def single_file(actions: Sequence[CancelAction]) -> tuple[CancelAction, ...]:
    """Split whole-symbol actions into one action per order, for a second try by another way."""
    return tuple(
        CancelAction("cancel_order", action.scope, order.symbol, action.venue_symbol, (order,))
        for action in actions
        for order in action.orders
    )


def count_outcomes(sent: Sequence[Sent]) -> Mapping[OutcomeKind, int]:
    """Return how many attempts were answered in which way."""
    return {kind: sum(s.outcome.kind is kind for s in sent) for kind in OutcomeKind}


def abilities_by_scope(cancel: VenueCancel, scopes: Sequence[Scope]) -> dict[Scope, bool]:
    """Return per scope whether one request cancels a whole symbol."""
    return {scope: cancel.abilities(scope).by_symbol for scope in scopes}
