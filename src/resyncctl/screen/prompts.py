"""Ask the operator. The only module that knows questionary.

Promises: without a terminal on both ends nobody is asked, the refusal names the flag that answers;
what was typed before the question appeared is thrown away; questions stand on standard error;
Enter takes the safest answer; Ctrl-C is passed on as `KeyboardInterrupt`. Implements
`ports.prompts.Prompter`. Called by the command line's wiring and by `init`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resyncctl.core.errors import NoTerminalError
from resyncctl.ports.prompts import Prompter
from resyncctl.screen.terminal import is_terminal
from resyncctl.screen.text import safe_text

if TYPE_CHECKING:
    from questionary import Question


@dataclass(frozen=True, slots=True)
class TerminalPrompter:
    """Questions on the terminal. `may_ask` is False under `--no-input`."""

    may_ask: bool = True

    def can_ask(self) -> bool:
        """Whether there is somebody to answer."""
        return self.may_ask and is_terminal(sys.stdin) and is_terminal(sys.stderr)

    async def confirm(self, question: str, *, flag: str, default: bool = False) -> bool:
        """Ask for yes or no; see `ports.prompts.Prompter`."""
        self._require_terminal(question, flag)
        import questionary

        answer = await self._ask(
            questionary.confirm(safe_text(question), default=default, **_on_stderr())
        )
        return answer is True

    async def choose(
        self, question: str, options: Sequence[tuple[str, str]], *, default: str, flag: str
    ) -> str:
        """Ask for one of the options; see `ports.prompts.Prompter`."""
        self._require_terminal(question, flag)
        import questionary

        choices = [questionary.Choice(safe_text(words), value=key) for key, words in options]
        answer = await self._ask(
            questionary.select(
                safe_text(question), choices=choices, default=default, **_on_stderr()
            )
        )
        return str(answer)

    async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
        """Ask for a name to be typed in full; see `ports.prompts.Prompter`."""
        self._require_terminal(question, flag)
        import questionary

        answer = await self._ask(questionary.text(safe_text(question), **_on_stderr()))
        return answer == expected

    async def text(self, question: str, *, flag: str, default: str = "") -> str:
        """Ask for a line of text."""
        self._require_terminal(question, flag)
        import questionary

        answer = await self._ask(
            questionary.text(safe_text(question), default=default, **_on_stderr())
        )
        return str(answer).strip()

    def _require_terminal(self, question: str, flag: str) -> None:
        if not self.may_ask:
            why = "--no-input forbids questions"
        elif not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
            why = "there is no terminal to ask on"
        else:
            return
        raise NoTerminalError(
            f"{why}, and this needs an answer: {safe_text(question)}",
            hint=f"answer with {flag}",
        )

    async def _ask(self, question: "Question") -> object:
        _forget_typeahead()
        try:
            return await question.unsafe_ask_async()
        except EOFError:
            # An input that ends at a question is no answer, just as Ctrl-C is none.
            raise KeyboardInterrupt from None


def _on_stderr() -> dict[str, Any]:
    from prompt_toolkit.output import create_output

    return {"output": create_output(stdout=sys.stderr)}


def _forget_typeahead() -> None:
    """Throw away keys that were hit before the question could be read."""
    import termios

    try:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    except (termios.error, OSError, ValueError):
        # Not a real terminal device: there is no queue of keys to forget.
        return


_: type[Prompter] = TerminalPrompter
