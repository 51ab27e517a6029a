"""Real prompts on a real terminal, and refusals where there is none."""

import io
import os
import sys
from pathlib import Path

import pexpect
import pytest

from resyncctl.core.errors import NoTerminalError
from resyncctl.screen.prompts import TerminalPrompter

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(ROOT / "src"),
    "LC_ALL": "C.UTF-8",
    "TERM": "xterm",
}
WAIT_S = 20


def script(body: str) -> str:
    return (
        "import asyncio, sys, time\n"
        "from resyncctl.screen.prompts import TerminalPrompter\n"
        "prompter = TerminalPrompter()\n"
        f"async def main():\n    {body}\n"
        "print('ANSWER', asyncio.run(main()), flush=True)\n"
    )


def spawn(body: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        sys.executable,
        ["-c", script(body)],
        env=ENVIRON,
        encoding="utf-8",
        timeout=WAIT_S,
        dimensions=(24, 80),
    )


@pytest.mark.invariant("I42")
@pytest.mark.process
@pytest.mark.parametrize(("keys", "answer"), [("y", "True"), ("n", "False"), ("\r", "False")])
def test_a_confirmation_takes_enter_as_the_safe_answer(keys: str, answer: str) -> None:
    child = spawn("return await prompter.confirm('Cancel 3 orders?', flag='--yes')")
    child.expect("Cancel 3 orders")
    child.send(keys)
    child.expect(f"ANSWER {answer}")


@pytest.mark.process
def test_keys_from_before_the_question_are_thrown_away() -> None:
    child = spawn(
        "print('READY', flush=True); time.sleep(1.0);"
        " return await prompter.confirm('Cancel ALL?', flag='--yes')"
    )
    child.expect("READY")
    child.send("yyyy")
    child.expect("Cancel ALL")
    child.send("\r")
    child.expect("ANSWER False")


@pytest.mark.process
@pytest.mark.parametrize(("typed", "answer"), [("main", "True"), ("mian", "False"), ("", "False")])
def test_a_name_must_be_typed_in_full(typed: str, answer: str) -> None:
    child = spawn("return await prompter.type_name('Name:', 'main', flag='--confirm main')")
    child.expect("Name:")
    child.send(f"{typed}\r")
    child.expect(f"ANSWER {answer}")


@pytest.mark.process
def test_a_choice_starts_at_the_safe_option() -> None:
    child = spawn(
        "return await prompter.choose('Stops?', [('cancel', 'cancel them'), ('keep', 'keep')],"
        " default='keep', flag='--include-protective')"
    )
    child.expect("Stops")
    child.send("\r")
    child.expect("ANSWER keep")


@pytest.mark.process
def test_ctrl_c_is_an_interruption_and_no_answer() -> None:
    child = spawn("return await prompter.confirm('Cancel?', flag='--yes')")
    child.expect("Cancel")
    child.sendcontrol("c")
    child.expect("KeyboardInterrupt")


@pytest.mark.process
def test_questions_stand_on_standard_error(tmp_path: Path) -> None:
    out = tmp_path / "out"
    child = pexpect.spawn(
        "/bin/sh",
        [
            "-c",
            f'exec {sys.executable} -c "$0" > {out}',
            script("return await prompter.confirm('Cancel?', flag='--yes')"),
        ],
        env=ENVIRON,
        encoding="utf-8",
        timeout=WAIT_S,
    )
    child.expect("Cancel")
    child.send("y")
    child.expect(pexpect.EOF)
    assert out.read_text() == "ANSWER True\n"


@pytest.mark.invariant("I42")
@pytest.mark.parametrize("may_ask", [True, False])
async def test_without_a_terminal_the_flag_that_answers_is_named(
    may_ask: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\n"))
    prompter = TerminalPrompter(may_ask=may_ask)
    assert not prompter.can_ask()
    for question in (
        prompter.confirm("Sure?", flag="--yes"),
        prompter.choose("Which?", [("a", "A")], default="a", flag="--yes"),
        prompter.type_name("Name?", "main", flag="--yes"),
        prompter.text("What?", flag="--yes"),
    ):
        with pytest.raises(NoTerminalError) as caught:
            await question
        assert "--yes" in (caught.value.hint or "")


@pytest.mark.process
def test_init_asks_and_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "resyncctl.toml"
    child = pexpect.spawn(
        sys.executable,
        ["-m", "resyncctl", "--config", str(path), "init"],
        env={**ENVIRON, "HOME": str(tmp_path)},
        encoding="utf-8",
        timeout=WAIT_S,
        dimensions=(40, 100),
    )
    for question, answer in (
        ("Name of the account", "\x15desk\r"),
        ("Exchange", "\r"),
        ("Which world", "\r"),
        ("client order ids", "mm1-, mm2-\r"),
        ("key kept", "\r"),
        ("Key file", "\r"),
        ("keep its state", "\r"),
        ("Name of the engine", "\r"),
        ("Checkpoint file", "\r"),
        ("Gate file", "\r"),
        ("systemd unit", "mm1.service\r"),
        ("Write this to", "\r"),
    ):
        child.expect(question)
        child.expect(r"\x1b\[\?25h|\x1b\[\d+C|$")
        child.send(answer)
    child.expect(pexpect.EOF)
    from resyncctl.settings.load import load

    configuration = load(path, {"HOME": str(tmp_path)})
    assert configuration.accounts["desk"].venue == "binanceusdm"
    assert configuration.accounts["desk"].client_id_prefixes == ("mm1-", "mm2-")
    assert configuration.engines["engine"].control.describe() == "systemd mm1.service"
