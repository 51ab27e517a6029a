"""The screens of flatten, drawn from outcomes that the procedure made on the exchange in memory.

To accept a change, write the new text into the file in `tests/goldens` and read it there.
"""

import asyncio
import json
import os
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.screen import envelope, schemas
from resyncctl.screen.render import screen_of
from resyncctl.screen.terminal import as_text
from resyncctl.screen.text import Look
from tests.fakes import outcomes as made
from tests.procedures.flatten_world import ALGO, BTC, ETH, LINEAR, World, resting

FOLDER = Path(__file__).parents[1] / "goldens"
CHOICE = Choice(into="USDT")


def world() -> World:
    """An account with something of everything."""
    one = World(policy=Policy(ignored_assets=("BNB",)))
    one.venue.position(BTC, "0.5004", price="97012.1")
    one.venue.position(ETH, "-12.5", price="3121.4")
    one.venue.asset("SOL", "2.123", "1", price="152.3")
    one.venue.asset("OLD", "17")
    del one.venue.rules[("spot", "OLD/USDT")]
    one.venue.resting["a"] = resting(1, BTC, LINEAR)
    one.venue.resting["stop"] = resting(
        7, BTC, ALGO, protective=True, reduce_only=True, trigger_price=Decimal("90000.10")
    )
    return one


async def planned() -> AccountOutcome:
    return await world().run(dry_run=True, choice=CHOICE)


async def residual() -> AccountOutcome:
    one = world()
    one.venue.script = ["lost", "reject", "reject", "reject"]
    return await one.run(choice=CHOICE, notional_max=Decimal(60_000))


async def flat() -> AccountOutcome:
    one = World()
    one.venue.position(BTC, "0.5", price="97012.1")
    one.venue.resting["stop"] = resting(
        7, BTC, ALGO, protective=True, reduce_only=True, trigger_price=Decimal("90000.10")
    )
    return await one.run()


SCREENS = {
    "flatten-plan": (planned, ExitCode.OK),
    "flatten-residual": (residual, ExitCode.RESIDUAL),
    "flatten-flat": (flat, ExitCode.OK),
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_the_one_that_was_read(name: str) -> None:
    make, code = SCREENS[name]
    text = as_text(
        screen_of(made.outcome("flatten", asyncio.run(make()), code=code), Look(width=80)),
        Look(width=80),
    )
    path = FOLDER / f"{name}.txt"
    if os.environ.get("RESYNCCTL_ACCEPT_GOLDENS"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_unless_it_is_one_word(name: str, width: int) -> None:
    make, code = SCREENS[name]
    look = Look(width=width)
    text = as_text(screen_of(made.outcome("flatten", asyncio.run(make()), code=code), look), look)
    for shown in text.splitlines():
        longest = max((len(word) for word in shown.split()), default=0)
        assert len(shown) <= width or longest > width - 22, shown


@pytest.mark.parametrize("name", SCREENS)
def test_the_document_fits_its_schema(name: str) -> None:
    make, code = SCREENS[name]
    document = envelope.envelope(made.outcome("flatten", asyncio.run(make()), code=code))
    jsonschema.validate(document, json.loads(schemas.rendered()["flatten.v1.json"]))
    assert document["schema"] == "resyncctl/flatten/v1"
