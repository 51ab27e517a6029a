"""Parsing: what a command line is understood as, before anything is done."""

from typing import Any

import pytest
from typer.exceptions import TyperException

from resyncctl.cli import commands, help_text
from resyncctl.cli.job import Job
from resyncctl.cli.options import Colour, LogFormat, Output, glimpse
from tests.cli.running import inside


def parsed(*argv: str) -> Job:
    found = commands.application()(args=list(argv), standalone_mode=False, prog_name="resyncctl")
    assert isinstance(found, Job)
    return found


def every_command() -> list[tuple[str, Any]]:
    found = []
    for name, command in commands.application().commands.items():
        verbs = getattr(command, "commands", {})
        found += [(f"{name} {verb}", child) for verb, child in verbs.items()] or [(name, command)]
    return found


def test_without_a_command_the_board_is_shown() -> None:
    assert parsed().name == "status"
    assert parsed("--json").options.output is Output.JSON


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["gate", "close", "main"], "gate-close"),
        (["cancel-all", "main", "--yes"], "cancel-all"),
        (["reconcile", "-q", "--every", "5m", "--splay", "20s"], "reconcile"),
        (["engine", "list"], "engine-list"),
        (["venue", "show", "main"], "venue-show"),
        (["config", "show", "--origin"], "config-show"),
        (["audit", "verify"], "audit-verify"),
        (["sim", "serve", "--port", "0"], "sim-serve"),
        (["init", "--demo"], "init"),
        (["doctor"], "doctor"),
    ],
)
def test_each_verb_becomes_the_job_of_its_name(argv: list[str], name: str) -> None:
    assert parsed(*argv).name == name


@pytest.mark.parametrize("argv", [["cancel-all"], ["gate", "close"], ["gate", "open", "main"]])
def test_what_changes_something_is_allowed_to_finish(argv: list[str]) -> None:
    assert parsed(*argv).mutates


@pytest.mark.parametrize("argv", [["reconcile"], ["status"], ["venue", "show"], ["doctor"]])
def test_what_only_looks_ends_at_the_first_interruption(argv: list[str]) -> None:
    assert not parsed(*argv).mutates


def test_shared_options_stand_before_or_after_the_command() -> None:
    before = parsed("--json", "-v", "--color", "never", "reconcile", "main").options
    after = parsed("reconcile", "main", "--json", "-v", "--color", "never").options
    assert before == after
    assert before.output is Output.JSON
    assert before.color is Colour.NEVER


def test_the_later_of_two_contradicting_options_wins() -> None:
    assert parsed("-o", "jsonl", "status", "-o", "nagios").options.output is Output.NAGIOS
    assert parsed("--log-format", "json", "status").options.log_format is LogFormat.JSON


@pytest.mark.parametrize(
    "argv",
    [
        ["status", "--json", "-o", "table"],
        ["status", "-q", "-v"],
        ["status", "-o", "yaml"],
        ["reconcil"],
        ["gate"],
        ["gate", "open"],
        ["cancel-all", "--force"],
    ],
)
def test_what_does_not_fit_is_a_usage_error(argv: list[str]) -> None:
    with pytest.raises(TyperException):
        parsed(*argv)
    ran = inside(*argv)
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_a_usage_error_is_a_document_where_json_is_wanted() -> None:
    ran = inside("reconcil", "--json")
    document = ran.document()
    assert ran.code == document["exit_code"] == 2
    assert "Did you mean" in document["error"]["message"]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("argv", "schema", "hint"),
    [
        (["cancel-all", "--nonsense"], "resyncctl/cancel-all/v1", "resyncctl cancel-all --help"),
        (["gate", "open", "--nonsense"], "resyncctl/gate-open/v1", "resyncctl gate open --help"),
        (["gate", "nonsense"], "resyncctl/usage/v1", "resyncctl --help"),
        (["nonsense"], "resyncctl/usage/v1", "resyncctl --help"),
    ],
)
def test_a_usage_error_names_the_command_that_was_meant(
    argv: list[str], schema: str, hint: str
) -> None:
    document = inside(*argv, "--json").document()
    assert document["schema"] == schema
    assert document["error"]["hint"] == hint


@pytest.mark.parametrize(
    ("argv", "output"),
    [
        (["x", "--json"], Output.JSON),
        (["-o", "nagios", "x"], Output.NAGIOS),
        (["-ojsonl"], Output.JSONL),
        (["--output=json"], Output.JSON),
        (["--output", "json"], Output.JSON),
        (["-o"], None),
        (["-o", "nonsense"], None),
        ([], None),
    ],
)
def test_a_glimpse_finds_the_form_that_was_asked_for(
    argv: list[str], output: Output | None
) -> None:
    assert glimpse(argv).output is output


def test_every_command_has_a_sentence_and_its_exit_codes() -> None:
    for name, command in every_command():
        assert command.help, name
        assert "Exit:" in command.help, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"


def test_the_overview_names_every_command_and_no_other() -> None:
    told = {name for _, group in help_text.GROUPS for name, _ in group}
    told = {"help" if name == "help exit-codes" else name for name in told}
    real = {name for name, _ in every_command()}
    assert told == real


def test_the_overview_and_help_are_the_same_text() -> None:
    assert inside("help").out == help_text.overview()
    assert inside("help", "exit-codes").out == help_text.exit_codes()


def test_an_unknown_topic_lists_the_topics() -> None:
    ran = inside("help", "nonsense")
    assert ran.code == 2
    assert "exit-codes" in ran.err


def test_schema_prints_what_is_shipped() -> None:
    assert "reconcile" in inside("schema").out.split()
    assert '"resyncctl/reconcile/v1"' in inside("schema", "reconcile").out
    assert inside("schema", "nonsense").code == 2
