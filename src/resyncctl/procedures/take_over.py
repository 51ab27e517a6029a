"""Get an account that another run may hold: at once, by waiting, or by taking it over.

The order of steps: try; tell the holder that somebody was here; wait politely for as long as the
operator said; then, only with a reason, ask the holder to give way, which it does between two
requests; and when it does not, wait until its lease and the last request that it may have made
under it have ended, and replace it. Promises: nothing is sent here; both runs' journals name the
other run and the reason; a holder that renews its lease is never replaced. Called by procedures
that change an account, before their first request.
"""

import contextlib
from dataclasses import dataclass

from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.ports.powers import HeldBy, LeaseControl
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import Clock, Journal, Progress
from resyncctl.procedures.held_lease import SKEW_UNMEASURED_MS, HeldLease

POLL_MS = 200
STUBBORN_MS = 120_000
"""How long a holder that neither gives way nor lets its lease end is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How an account is wanted.

    `wait_ms` is how long another run is waited for; `take_over` is the reason to take the account
    from it. `request_validity_ms` is the longest validity of one request.
    """

    account: str
    request_validity_ms: int
    wait_ms: int = 0
    take_over: str | None = None
    skew_ms: int = SKEW_UNMEASURED_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waiting needs: the leases, the record, time, and somebody to tell."""

    leases: LeaseControl
    journal: Journal
    clock: Clock
    progress: Progress
    interrupted: Interrupted = lambda: False


async def take_account(wish: Wish, tools: Waiting) -> HeldLease:
    """Return the lease of the account. Whoever gets it releases it.

    Raises:
        LockedError: Another run holds it and has not given way. Nothing was changed.
        RecordUnwritableError: The lock, or the record of the take-over, cannot be written.
    """
    account = wish.account
    try:
        return _acquire(wish, tools)
    except LockedError as error:
        refusal = error
    tools.leases.ask(account, tools.journal.run_id, tools.clock.now_ms(), reason=None)
    until_ms = tools.clock.monotonic_ms() + wish.wait_ms
    while not tools.interrupted() and (left_ms := until_ms - tools.clock.monotonic_ms()) > 0:
        _say(wish, tools, refusal.message, left_ms)
        await tools.clock.sleep_ms(min(POLL_MS, left_ms))
        try:
            return _acquire(wish, tools)
        except LockedError as error:
            refusal = error
    if wish.take_over is None or tools.interrupted():
        raise refusal
    return await _take_over(wish, wish.take_over, tools)


def who_asked(lease: HeldLease, tools: Waiting) -> list[str]:
    """Write down which other runs wanted the account meanwhile, and return them.

    So both runs learn of each other: the other one was told who holds the account. It is asked at
    the end of a run, so that a record that cannot be written any more changes nothing.
    """
    runs = list(lease.asked())
    if runs:
        with contextlib.suppress(RecordUnwritableError):
            tools.journal.record("others_asked", {"account": lease.lease.account, "runs": runs})
    return runs


async def _take_over(wish: Wish, reason: str, tools: Waiting) -> HeldLease:
    """Ask the holder to give way; replace it when its lease has ended."""
    began_ms = tools.clock.monotonic_ms()
    first = tools.leases.held_by(wish.account, tools.clock.now_ms())
    _record(tools, "take_over_asked", wish, first, {"reason": reason})
    tools.leases.ask(wish.account, tools.journal.run_id, tools.clock.now_ms(), reason=reason)
    while True:
        try:
            lease = _acquire(wish, tools)
        except LockedError as error:
            refusal = error
        else:
            waited_ms = tools.clock.monotonic_ms() - began_ms
            details = {"reason": reason, "forced": False, "waited_ms": waited_ms}
            return _kept(lease, tools, wish, first, details)
        now_ms = tools.clock.now_ms()
        held = tools.leases.held_by(wish.account, now_ms)
        if held is not None and first is not None and held.run_id != first.run_id:
            raise refusal  # a third run was faster; it was not asked
        first = first or held
        if held is not None and now_ms > _quiet_from_ms(held.expires_ms, wish):
            return await _replace(wish, reason, held, tools, began_ms)
        if tools.interrupted() or tools.clock.monotonic_ms() - began_ms > _patience_ms(wish):
            raise refusal
        left_ms = 0 if held is None else _quiet_from_ms(held.expires_ms, wish) - now_ms
        _say(wish, tools, "asked it to give way; it is replaced when its lease has ended", left_ms)
        await tools.clock.sleep_ms(POLL_MS)


async def _replace(
    wish: Wish, reason: str, held: HeldBy, tools: Waiting, began_ms: int
) -> HeldLease:
    """Put our lock in the place of the holder's, and let its last request run out."""
    taken = tools.leases.take(
        wish.account,
        tools.journal.run_id,
        tools.clock.now_ms(),
        from_token=held.fencing_token,
        reason=reason,
    )
    lease = HeldLease(tools.leases, taken.lease)
    try:
        quiet_ms = _quiet_from_ms(taken.old_end_ms, wish)
        while (left_ms := quiet_ms - tools.clock.now_ms()) >= 0:
            _say(wish, tools, "its last request is waited out", left_ms)
            await tools.clock.sleep_ms(left_ms + 1)
    except BaseException:
        lease.release()
        raise
    waited_ms = tools.clock.monotonic_ms() - began_ms
    details = {"reason": reason, "forced": True, "waited_ms": waited_ms}
    return _kept(lease, tools, wish, held, details)


def _acquire(wish: Wish, tools: Waiting) -> HeldLease:
    now_ms = tools.clock.now_ms()
    return HeldLease.acquire(tools.leases, wish.account, tools.journal.run_id, now_ms)


def _kept(
    lease: HeldLease, tools: Waiting, wish: Wish, held: HeldBy | None, details: dict[str, object]
) -> HeldLease:
    """Write the take-over down; a lease whose taking cannot be recorded is given back."""
    details = {**details, "token": lease.lease.fencing_token}
    try:
        _record(tools, "taken_over", wish, held, details)
    except BaseException:
        lease.release()
        raise
    return lease


def _record(
    tools: Waiting, event: str, wish: Wish, held: HeldBy | None, details: dict[str, object]
) -> None:
    tools.journal.record(
        event,
        {
            "account": wish.account,
            "from_run": held.run_id if held is not None else None,
            "from": held.who if held is not None else "a process that cannot be named",
            "from_token": held.fencing_token if held is not None else None,
            **details,
        },
    )


def _quiet_from_ms(lease_end_ms: int, wish: Wish) -> int:
    """Return when nothing can take effect any more that was sent under a lease with this end.

    A request is only made when its deadline lies before the end of the lease; the request may have
    been signed at its deadline, and the clocks may differ.
    """
    return lease_end_ms + wish.request_validity_ms + wish.skew_ms


def _patience_ms(wish: Wish) -> int:
    return STUBBORN_MS + 2 * wish.request_validity_ms + wish.skew_ms


def _say(wish: Wish, tools: Waiting, words: str, left_ms: int) -> None:
    seconds = -(-max(0, left_ms) // 1000)
    tools.progress.say(wish.account, "lease", words, seconds_left=seconds)
