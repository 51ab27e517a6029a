"""How a command can end: faults of ours, interruptions, secrets in what was not expected."""

import asyncio
import io
import json
import logging
import os
import re
from pathlib import Path

import pytest

from resyncctl.cli import commands
from resyncctl.cli.app import _invocation, _perform, main
from resyncctl.cli.each import side_by_side
from resyncctl.cli.invocation import Invocation
from resyncctl.cli.job import Job
from resyncctl.cli.logs import masked, start_logging
from resyncctl.cli.options import LogFormat, Output, Shared
from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome, ActionRecord, Outcome
from tests.cli.running import CONFIG, Ran, configured, inside, stream, text_of

SECRET = "CANARYsecretVALUE"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith(("RESYNCCTL_", "XDG_")):
            monkeypatch.delenv(name)


def perform(job: Job) -> Ran:
    out, err = stream(), stream()
    invocation = _invocation(job, out, err)
    invocation.secrets.append(SECRET)
    code = _perform(job, invocation)
    return Ran(code, text_of(out), text_of(err))


@pytest.mark.invariant("I9", "I39")
def test_a_fault_of_ours_is_one_message_and_a_file_without_secrets(tmp_path: Path) -> None:
    async def run(invocation: Invocation) -> Outcome:
        raise ValueError(f"GET /api?timestamp=1&signature=abc apiKey={SECRET}; {SECRET}")

    ran = perform(Job(name="status", run=run))
    assert ran.code == ExitCode.INTERNAL
    assert "Traceback" not in ran.out + ran.err
    assert SECRET not in ran.out + ran.err
    (crash,) = (tmp_path / "home").rglob("crashes/*.txt")
    text = crash.read_text()
    assert "ValueError" in text
    assert SECRET not in text
    assert (os.stat(crash).st_mode & 0o777) == 0o600
    assert str(crash) in ran.err


def test_a_fault_of_ours_is_a_document_where_json_is_wanted() -> None:
    async def run(invocation: Invocation) -> Outcome:
        raise KeyError("a bug")

    document = perform(Job(name="status", run=run, options=Shared(output=Output.JSON))).document()
    assert document["exit_code"] == 1
    assert document["error"]["kind"] == "internal"


def test_what_a_library_prints_is_no_part_of_the_result() -> None:
    async def run(invocation: Invocation) -> Outcome:
        print("noise")  # noqa: T201  # a library that prints is what is tested
        return invocation.outcome()

    ran = perform(Job(name="status", run=run, options=Shared(output=Output.JSON)))
    assert ran.document()["exit_code"] == 0
    assert "noise" in ran.err


def test_the_end_that_cannot_be_recorded_changes_nothing() -> None:
    async def run(invocation: Invocation) -> Outcome:
        def fail(outcome: Outcome) -> None:
            raise RecordUnwritableError("the disk is full")

        invocation.ending.append(fail)
        return invocation.outcome()

    ran = perform(Job(name="status", run=run))
    assert ran.code == 0
    assert "the disk is full" in ran.err


class Gone(io.TextIOWrapper):
    """A terminal that went away while the command ran."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_an_output_that_went_away_does_not_change_the_exit_code(tmp_path: Path) -> None:
    path = configured(tmp_path)
    code = main(["--config", path, "gate", "close"], stdout=Gone(), stderr=Gone())
    assert code == 0
    assert json.loads((tmp_path / "gate.json").read_text())["state"] == "UNSAFE"


@pytest.mark.parametrize(("mutates", "ends"), [(True, 0), (False, 1)])
def test_a_mutating_run_that_broke_off_is_not_recorded_as_ended(mutates: bool, ends: int) -> None:
    ended: list[Outcome] = []

    async def run(invocation: Invocation) -> Outcome:
        invocation.ending.append(ended.append)
        raise ZeroDivisionError

    assert perform(Job(name="cancel-all", run=run, mutates=mutates)).code == ExitCode.INTERNAL
    assert len(ended) == ends


def test_everything_that_was_opened_is_closed_in_reverse() -> None:
    closed: list[str] = []

    async def run(invocation: Invocation) -> Outcome:
        invocation.closing.append(lambda: closed.append("first"))
        invocation.closing.append(lambda: closed.append("second"))
        raise LockedError("held")

    assert perform(Job(name="status", run=run)).code == ExitCode.LOCKED
    assert closed == ["second", "first"]


@pytest.mark.parametrize("mutates", [True, False])
def test_an_interruption_from_the_keyboard_ends_with_its_code(mutates: bool) -> None:
    async def run(invocation: Invocation) -> Outcome:
        raise KeyboardInterrupt

    ran = perform(Job(name="status", run=run, mutates=mutates))
    assert ran.code == ExitCode.INT
    assert "resyncctl status" in ran.err


def test_one_account_s_fault_does_not_stop_the_others(tmp_path: Path) -> None:
    text = CONFIG.replace(
        "[engines.mm1]",
        '[accounts.two]\nvenue = "okx"\ncredentials = '
        '{ source = "file", path = "k" }\n[engines.mm1]',
    )
    path = configured(tmp_path, text)

    async def good(name: str) -> AccountOutcome:
        await asyncio.sleep(0.01)
        action = ActionRecord(verb="cancel_order", account=name, attempts=1, state="gone")
        return AccountOutcome(
            account=name, status="proved_empty", exit_code=ExitCode.OK, actions=(action,)
        )

    async def bad() -> AccountOutcome:
        raise ZeroDivisionError

    async def locked() -> AccountOutcome:
        raise LockedError("held by another run")

    async def run(invocation: Invocation) -> Outcome:
        specs = invocation.accounts([])
        works = [good(specs[0].name), invocation.shelf["work"]()]
        return invocation.outcome(await side_by_side(invocation, specs, works))

    for work, account, whole in (
        (bad, ExitCode.INTERNAL, ExitCode.INTERNAL),
        (locked, ExitCode.LOCKED, ExitCode.PARTIAL),
    ):

        async def with_work(invocation: Invocation, work: object = work) -> Outcome:
            invocation.shelf["work"] = work
            return await run(invocation)

        shared = Shared(output=Output.JSON, config=Path(path))
        document = perform(Job(name="cancel-all", run=with_work, options=shared)).document()
        assert document["exit_code"] == whole
        assert [one["exit_code"] for one in document["accounts"]] == [0, account]
        assert document["accounts"][0]["status"] == "proved_empty"


def test_a_mutation_that_left_forbids_the_codes_that_promise_none(tmp_path: Path) -> None:
    async def run(invocation: Invocation) -> Outcome:
        action = ActionRecord(verb="cancel_order", account="main", attempts=1, state="unproven")
        return invocation.outcome(
            [
                AccountOutcome(
                    account="main",
                    status="failed",
                    exit_code=ExitCode.LOCKED,
                    actions=(action,),
                )
            ]
        )

    assert perform(Job(name="cancel-all", run=run)).code == ExitCode.RESIDUAL


def test_whom_to_call_stands_under_a_grave_ending(tmp_path: Path) -> None:
    text = CONFIG + (
        '[contacts.on-call]\nname = "the desk"\nreach = "ext. 4711"\nseverity = "major"\n'
        '[contacts.risk]\nname = "risk"\nreach = "ext. 1"\nseverity = "critical"\n'
    )
    shown = inside("--config", configured(tmp_path, text), "status")
    assert "call: on-call: the desk, ext. 4711\n" in shown.out


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://x/api?symbol=A&signature={SECRET}&timestamp=1",
        f"headers {{'X-MBX-APIKEY': '{SECRET}'}}",
        f'{{"api_key": "{SECRET}", "a": 1}}',
        f"secret={SECRET}",
        f"Authorization: {SECRET}",
        f"listenKey={SECRET}",
    ],
)
def test_logs_mask_what_looks_like_a_secret(text: str) -> None:
    assert SECRET not in masked(text)
    written = stream()
    log = start_logging(written, LogFormat.JSON, 0, quiet=False)
    log.warning("%s", text)
    logging.getLogger("aiohttp").warning("%s", text)
    lines = text_of(written).splitlines()
    assert len(lines) == 2
    assert SECRET not in "".join(lines)
    for line in lines:
        assert {"at", "level", "logger", "message"} <= json.loads(line).keys()
    start_logging(stream(), None, 0, quiet=True)


def test_a_log_record_never_carries_a_traceback() -> None:
    written = stream()
    log = start_logging(written, None, 2, quiet=False)
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("it failed")
    assert SECRET not in text_of(written)
    assert "Traceback" not in text_of(written)
    assert "ValueError" in text_of(written)
    start_logging(stream(), None, 0, quiet=True)


def test_the_exit_codes_in_each_help_are_documented_ones() -> None:
    known = {int(code) for code in ExitCode}
    for name, command in commands.application().commands.items():
        for verb, child in getattr(command, "commands", {"": command}).items():
            told = (child.help or "").partition("Exit:")[2]
            codes = {int(word) for word in re.findall(r"\b\d+\b", told)}
            assert codes, f"{name} {verb}"
            assert codes <= known, f"{name} {verb}"
