"""The screens at 80 columns, without colour, compared with files that a person has read.

To accept a change, write the new text into the file in `tests/goldens` and read it there.
"""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from resyncctl.core.discrepancy import Discrepancy, Kind, Severity, Subject
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome, Outcome, OutcomeError
from resyncctl.screen.render import screen_of
from resyncctl.screen.terminal import as_text
from resyncctl.screen.text import Look
from tests.fakes import outcomes as made

FOLDER = Path(__file__).parents[1] / "goldens"
ORDER = {
    "account": "main",
    "product": "linear",
    "symbol": "BTC/USDT:USDT",
    "side": "sell",
    "type": "stop_market",
    "status": "ACCEPTED",
    "client_order_id": "mm1-0000000000000000000000000000000042",
    "venue_order_id": "123456789012345678",
    "quantity": "0.12345678",
    "filled": "0",
    "price": None,
    "trigger_price": "90000.10",
    "reduce_only": True,
    "leg": "both",
    "protective": True,
    "created_at": "2026-11-21T09:00:00.000Z",
    "updated_at": None,
}


def section(*rows: object, complete: bool = True) -> dict[str, object]:
    return {
        "known": True,
        "as_of": "2026-11-21T09:31:07.123Z",
        "complete": complete,
        "window": None,
        "notes": [] if complete else ["the listing stops after 1000 rows"],
        "data": list(rows),
    }


def snapshot(command: str, document: dict[str, object], code: ExitCode) -> Outcome:
    account = AccountOutcome(
        account="main", status="incomplete", exit_code=code, data={"snapshot": document}
    )
    return made.outcome(command, account, code=code)


def engine_document() -> dict[str, object]:
    return {
        "schema": "resyncctl/engine-snapshot/v1",
        "account": "main",
        "as_of": "2026-11-21T09:31:03.000Z",
        "sequence": 812,
        "source": {"adapter": "checkpoint", "place": "/var/lib/mm1/checkpoint.json"},
        "sections": {
            "orders": section(ORDER),
            "fills": {"known": False, "reason": "the engine does not keep fills"},
            "positions": section(
                {
                    "symbol": "BTC/USDT:USDT",
                    "leg": "short",
                    "quantity": "-0.5",
                    "entry_price": "97000.123456789",
                }
            ),
            "balances": section(
                {"asset": "USDT", "free": "1", "locked": None, "total": "10231.18"}
            ),
        },
        "trouble": [{"kind": "CHECKPOINT_STALE", "reason": "it is 4 minutes old"}],
        "claims": [],
    }


def venue_document() -> dict[str, object]:
    regular = {"product": "linear", "order_class": "regular"}
    algo = {"product": "linear", "order_class": "algo"}
    return {
        "schema": "resyncctl/venue-snapshot/v1",
        "account": "main",
        "venue": "binanceusdm",
        "as_of": "2026-11-21T09:31:07.123Z",
        "scopes": [
            {
                "product": "linear",
                "position_mode": "one_way",
                "orders": [
                    {"scope": regular, **section(complete=False)},
                    {"scope": algo, **section(ORDER)},
                ],
                "fills": section(),
                "positions": section(),
                "balances": {"known": False, "reason": "HTTP 200 with an HTML page"},
                "ledger": section(),
            }
        ],
        "look_ups": [],
        "not_covered": [{"what": "margin", "reason": "this profile does not read margin"}],
        "moving": "balances of USDT changed",
    }


SCREENS: dict[str, Callable[[], Outcome]] = {
    "reconcile-blocked": lambda: made.outcome(
        "reconcile", made.discrepant(), code=ExitCode.BLOCKED
    ),
    "reconcile-clean": lambda: made.outcome("reconcile", made.clean(), code=ExitCode.OK),
    "reconcile-several": lambda: made.outcome(
        "reconcile", made.clean(), made.unknown(), made.refused(), code=ExitCode.INCOMPLETE
    ),
    "cancel-all-residual": lambda: made.outcome(
        "cancel-all", made.residual(), made.proved(), code=ExitCode.RESIDUAL
    ),
    "cancel-all-plan": lambda: made.outcome("cancel-all", made.planned(), code=ExitCode.OK),
    "status": lambda: made.outcome(
        "status",
        made.board_row("binance-main", "UNSAFE", unfinished=True),
        made.board_row("bybit-hedge-account-with-a-long-name", "SAFE", verdict="discrepant"),
        made.board_row("okx-mm", "RUNNING"),
        made.board_row("kraken-cold", "RUNNING", verdict=None),
        code=ExitCode.BLOCKED,
    ),
    "verify-unknown": lambda: made.outcome(
        "verify",
        made.safety_outcome("unknown", ExitCode.INCOMPLETE),
        code=ExitCode.INCOMPLETE,
    ),
    "verify-safe": lambda: made.outcome(
        "verify", made.safety_outcome("safe", ExitCode.OK), code=ExitCode.OK
    ),
    "resync-escalated": lambda: made.outcome(
        "resync",
        made.safety_outcome(
            "unknown",
            ExitCode.INCOMPLETE,
            resynced=True,
            reason="lost the stream",
            escalated="another attempt mends nothing",
            skip_conditions=[
                {
                    "name": "latency is not critical",
                    "holds": False,
                    "known": True,
                    "evidence": "a round trip took 1800 ms, the bound is 1000 ms",
                    "as_of_ms": None,
                }
            ],
        ),
        code=ExitCode.INCOMPLETE,
    ),
    "gate-refused": lambda: made.outcome("gate-open", made.gate_outcome(), code=ExitCode.REFUSED),
    "engine-show": lambda: snapshot("engine-show", engine_document(), ExitCode.INCOMPLETE),
    "venue-show": lambda: snapshot("venue-show", venue_document(), ExitCode.INCOMPLETE),
    "doctor": lambda: made.outcome(
        "doctor",
        AccountOutcome(
            account="main", status="warn", exit_code=ExitCode.OK, data={"probes": made.probes()}
        ),
        code=ExitCode.OK,
        probes=made.probes("fail"),
    ),
    "audit": lambda: made.outcome(
        "audit-verify",
        code=ExitCode.DATAERR,
        chains=[
            {
                "name": "20261121T093107Z-reconcile-7f3k",
                "records": 12,
                "intact": False,
                "head": "20261121T093107Z-reconcile-7f3k:12:" + "ab" * 32,
                "problems": ["altered: record 7 does not match its hash"],
                "notes": [],
            }
        ],
        problems=["removed: run 20261120T093107Z-cancel-all-3kq9 is missing"],
    ),
    "error": lambda: Outcome(
        command="status",
        run_id="x",
        started_at_ms=made.NOW_MS,
        finished_at_ms=made.NOW_MS,
        exit_code=ExitCode.CONFIG,
        error=OutcomeError(
            kind="configuration",
            message="polcy: there is no such key",
            place="/etc/resyncctl/resyncctl.toml:21",
            hint="did you mean `policy`?",
        ),
    ),
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_the_one_that_was_read(name: str) -> None:
    text = as_text(screen_of(SCREENS[name](), Look(width=80)), Look(width=80))
    path = FOLDER / f"{name}.txt"
    if os.environ.get("RESYNCCTL_ACCEPT_GOLDENS"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_unless_it_is_one_word(name: str, width: int) -> None:
    look = Look(width=width)
    text = as_text(screen_of(SCREENS[name](), look), look)
    for shown in text.splitlines():
        longest = max((len(word) for word in shown.split()), default=0)
        assert len(shown) <= width or longest > width - 22, shown


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [40, 80, None])
def test_no_digit_of_a_number_is_lost_at_any_width(name: str, width: int | None) -> None:
    look = Look(width=width)
    text = as_text(screen_of(SCREENS[name](), look), look)
    if name == "reconcile-blocked":
        for digits in ("0.12345678", "0.12345679", "10231.18", "10230.02", "97012.1"):
            assert digits in text
    if name in {"engine-show", "venue-show"}:
        assert "0.12345678" in text
    if name == "engine-show":
        assert "97000.123456789" in text


@pytest.mark.parametrize("name", SCREENS)
def test_a_terminal_without_unicode_gets_ascii(name: str) -> None:
    look = Look(width=80, unicode=False)
    assert as_text(screen_of(SCREENS[name](), look), look).isascii()


@pytest.mark.invariant("I45")
@pytest.mark.parametrize("name", SCREENS)
def test_text_from_outside_cannot_steer_the_terminal(name: str) -> None:
    text = as_text(screen_of(SCREENS[name](), Look(width=80)), Look(width=80))
    for letter in ("\x1b", "\x07", "\x9b", "\u202e"):
        assert letter not in text


def test_the_digits_that_differ_stand_under_one_another() -> None:
    lines = (FOLDER / "reconcile-blocked.txt").read_text().splitlines()
    (engine,) = [line for line in lines if "0.12345678" in line]
    (venue,) = [line for line in lines if "0.12345679" in line]
    assert engine.index("0.12345678") == venue.index("0.12345679")


def test_the_points_of_two_numbers_stand_under_one_another() -> None:
    finding = Discrepancy(
        kind=Kind.POSITION_MISMATCH,
        severity=Severity.MAJOR,
        subject=Subject(account="main", symbol="BTC/USDT"),
        engine={"quantity": Decimal("-9.5"), "at_ms": made.NOW_MS, "reduce_only": False},
        venue={"quantity": Decimal("110.25"), "at_ms": made.NOW_MS, "reduce_only": True},
    )
    account = AccountOutcome(
        account="main", status="discrepant", exit_code=ExitCode.BLOCKED, findings=(finding,)
    )
    look = Look(width=80)
    screen = screen_of(made.outcome("reconcile", account, code=ExitCode.BLOCKED), look)
    lines = as_text(screen, look).splitlines()
    (engine,) = [line for line in lines if "-9.5" in line]
    (venue,) = [line for line in lines if "110.25" in line]
    assert engine.index(".5") == venue.index(".25")
    assert any("reduce_only no" in line for line in lines)
    assert any("both      at 2026-11-21 09:31:07Z" in line for line in lines)


@pytest.mark.parametrize("name", SCREENS)
def test_every_ending_but_0_says_what_to_type_next(name: str) -> None:
    outcome = SCREENS[name]()
    last = as_text(screen_of(outcome, Look(width=None)), Look(width=None)).splitlines()[-1]
    assert last.startswith("next: ") == (outcome.exit_code is not ExitCode.OK)
