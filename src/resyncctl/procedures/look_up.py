"""Ask an exchange about single orders, a few at a time."""

import asyncio
from collections.abc import Iterable

from resyncctl.core.snapshot import LookUp, OrderReference
from resyncctl.ports.views import VenueView

LOOK_UPS_AT_ONCE = 8


async def look_up_all(
    venue: VenueView, references: Iterable[OrderReference]
) -> tuple[tuple[OrderReference, LookUp], ...]:
    """Ask for every reference, a few at a time, in the given order."""
    slots = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    async def one(reference: OrderReference) -> tuple[OrderReference, LookUp]:
        async with slots:
            return reference, await venue.look_up_order(reference)

    return tuple(await asyncio.gather(*(one(reference) for reference in references)))
