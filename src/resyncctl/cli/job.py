"""What a parsed command line is: a job that can be run. Parsing itself does nothing.

Promises: a verb module parses into a `Job` and imports what it needs only when the job runs, so
that help and completion stay fast. Called by every verb module; run by `cli.app`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command that was parsed.

    `name` is the command's name in documents, e.g. `gate-close`. `mutates` says that the first
    interruption must let it finish what it began instead of ending it. `prints_itself` is for the
    few commands whose whole output is a text of their own (help topics, schemas, completions).
    """

    name: str
    run: "Callable[[Invocation], Awaitable[Outcome]]"
    mutates: bool = False
    prints_itself: bool = False
    options: Any = None
