"""Only a whole, young acknowledgement of this very move of the gate proves silence."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resyncctl.adapters.engine.silence import AcknowledgedSilence, UnobservedSilence
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.sdk import Acknowledger, write_gate
from resyncctl.sdk.acknowledgement import acknowledgement_file
from resyncctl.sdk.canonical import JsonValue, sealed_bytes

NOW_MS = 1_790_000_000_000


class Desk:
    """A gate file with an engine that honours it, and the tool that looks."""

    def __init__(self, folder: Path) -> None:
        self.gate_file = folder / "gate.json"
        self.now_ms = NOW_MS
        self.engine = Acknowledger(self.gate_file, "main", now_ms=lambda: self.now_ms)
        self.view = AcknowledgedSilence(self.gate_file, fresh_ms=60_000)
        self.place = acknowledgement_file(self.gate_file)
        self.move("UNSAFE")

    def move(self, state: str, *, run_id: str = "r1") -> None:
        write_gate(
            self.gate_file,
            account="main",
            state=state,
            reason="because",
            by="tester",
            run_id=run_id,
            now_ms=self.now_ms,
        )

    def rewrite(self, **changes: JsonValue) -> None:
        document = json.loads(self.place.read_bytes())
        del document["integrity"]
        self.place.write_bytes(sealed_bytes({**document, **changes})[0])

    def look(
        self, account: str = "main", state: GateState = GateState.UNSAFE, *, trusted: bool = True
    ) -> Silence:
        reading = GateReading(
            account=account,
            state=state,
            reason="because",
            since_ms=NOW_MS,
            by="tester",
            sequence=1,
            trusted=trusted,
        )
        return self.view.observe(account, reading, self.now_ms)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_engine_that_acknowledged_is_proved_silent_since_it_was_quiet(desk: Desk) -> None:
    desk.now_ms += 300
    desk.engine.acknowledge()
    desk.now_ms += 2_000
    seen = desk.look()
    assert (seen.kind, seen.since_ms) == (SilenceKind.PROVED, NOW_MS + 300)
    assert "acknowledged the closed gate 2 s ago" in seen.how
    assert desk.look(state=GateState.SAFE).proved


def test_without_an_acknowledgement_nothing_is_proved(desk: Desk) -> None:
    seen = desk.look()
    assert (seen.kind, seen.since_ms) == (SilenceKind.UNPROVED, None)
    assert "has not acknowledged" in seen.how


def test_a_gate_that_is_open_or_doubtful_proves_nothing(desk: Desk) -> None:
    desk.engine.acknowledge()
    assert "the gate is RUNNING" in desk.look(state=GateState.RUNNING).how
    assert "not to be trusted" in desk.look(trusted=False).how
    desk.gate_file.write_bytes(b"{}")
    assert "own gate file" in desk.look().how


def test_an_engine_copy_that_still_says_running_proves_nothing(desk: Desk) -> None:
    desk.engine.acknowledge()
    desk.move("RUNNING")
    assert "own gate file" in desk.look().how


@pytest.mark.invariant("I15")
def test_an_older_or_another_move_proves_nothing(desk: Desk) -> None:
    desk.engine.acknowledge()
    desk.move("UNSAFE")
    assert "speaks of move 1, the gate stands at 2" in desk.look().how
    desk.engine.acknowledge()
    assert desk.look().proved
    # A gate that was made anew counts from one again: number, time and run must all be the same.
    desk.gate_file.unlink()
    desk.move("UNSAFE", run_id="r2")
    desk.move("UNSAFE", run_id="r2")
    assert not desk.look().proved


def test_it_must_be_young_and_not_from_the_future(desk: Desk) -> None:
    desk.engine.acknowledge()
    desk.now_ms += 60_000
    assert desk.look().proved
    desk.now_ms += 1
    assert "60 s ago and not since" in desk.look().how
    desk.now_ms = NOW_MS - 2_001
    assert "contradict" in desk.look().how


def test_a_silence_that_begins_after_it_was_acknowledged_is_nonsense(desk: Desk) -> None:
    desk.engine.acknowledge()
    desk.rewrite(quiet_since_ms=NOW_MS + 10_000)
    desk.now_ms += 20_000
    assert "contradict" in desk.look().how


@pytest.mark.invariant("I15")
def test_a_request_that_can_still_take_effect_is_waited_for(desk: Desk) -> None:
    desk.move("RUNNING")
    with desk.engine.sending(valid_ms=5_000):
        pass
    desk.move("UNSAFE")
    desk.engine.acknowledge()
    assert "can still take effect for 5 s" in desk.look().how
    desk.now_ms += 5_000
    seen = desk.look()
    assert (seen.proved, seen.since_ms) == (True, NOW_MS + 5_000)


def test_the_silence_never_begins_before_the_gate_was_closed(desk: Desk) -> None:
    desk.engine.acknowledge()
    desk.rewrite(quiet_since_ms=0)
    assert desk.look().since_ms == NOW_MS


def test_another_accounts_acknowledgement_proves_nothing(desk: Desk) -> None:
    desk.engine.acknowledge()
    desk.rewrite(account="other")
    assert "cannot be believed" in desk.look().how


def test_nobody_looking_is_unproved_with_the_reason() -> None:
    reading = GateReading(
        account="main", state=GateState.UNSAFE, reason="", since_ms=1, by=None, sequence=1
    )
    seen = UnobservedSilence("set silence").observe("main", reading, NOW_MS)
    assert (seen.kind, seen.how) == (SilenceKind.UNPROVED, "set silence")


SLOW = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.mark.invariant("I15")
@SLOW
@given(cut=st.integers(min_value=0, max_value=10_000), flip=st.integers(min_value=0, max_value=255))
def test_no_damaged_acknowledgement_proves_silence(desk: Desk, cut: int, flip: int) -> None:
    desk.engine = Acknowledger(desk.gate_file, "main", now_ms=lambda: desk.now_ms)
    desk.engine.acknowledge()
    assert desk.look().proved
    good = desk.place.read_bytes()
    body = good.rstrip(b"\n")
    at = cut % len(body)
    torn = body[:at]
    bad = body[:at] + bytes([body[at] ^ (flip or 1)]) + body[at + 1 :]
    for data in (torn, bad, good + good, b"\0" * len(good)):
        desk.place.write_bytes(data)
        assert not desk.look().proved


@pytest.mark.invariant("I15")
@SLOW
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "schema": st.sampled_from(["resync.silence/2", None, 1]),
            "account": st.sampled_from(["other", "", None, 7]),
            "gate_sequence": st.one_of(
                st.integers(2, 9), st.sampled_from([0, -1, "1", None, True])
            ),
            "gate_since_ms": st.sampled_from([NOW_MS - 1, NOW_MS + 1, 0, None, "x"]),
            "gate_run_id": st.sampled_from(["r2", "", None, 3]),
            "quiet_since_ms": st.sampled_from([None, -1, "1", NOW_MS + 90_000]),
            "requests_end_ms": st.sampled_from([-1, "soon", NOW_MS + 90_000]),
            "acknowledged_ms": st.sampled_from([None, NOW_MS - 60_001, NOW_MS + 90_000, -1]),
            "engine": st.sampled_from([None, 1]),
            "pid": st.sampled_from([None, "1", -1]),
        },
    ).filter(bool)
)
def test_no_foreign_or_senseless_acknowledgement_proves_silence(
    desk: Desk, changes: dict[str, JsonValue]
) -> None:
    desk.engine = Acknowledger(desk.gate_file, "main", now_ms=lambda: desk.now_ms)
    desk.engine.acknowledge()
    assert desk.look().proved
    desk.rewrite(**changes)
    assert not desk.look().proved
