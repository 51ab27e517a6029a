"""Asking the operator. Without a terminal every method refuses and names the flag that answers."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Prompter(Protocol):
    """Questions to a person. The default answer is always the one that reduces risk."""

    async def confirm(self, question: str, *, flag: str, default: bool = False) -> bool:
        """Ask for yes or no.

        Raises:
            NoTerminalError: There is nobody to ask; the message names `flag`.
        """
        ...

    async def choose(
        self, question: str, options: Sequence[tuple[str, str]], *, default: str, flag: str
    ) -> str:
        """Ask for one of the options, each (key, words); return the key.

        Raises:
            NoTerminalError: There is nobody to ask; the message names `flag`.
        """
        ...

    async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
        """Ask for a name to be typed in full; return whether it matched.

        Raises:
            NoTerminalError: There is nobody to ask; the message names `flag`.
        """
        ...


Interrupted = Callable[[], bool]
"""Answers whether the operator has asked to stop starting anything new."""
