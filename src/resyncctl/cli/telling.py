"""Tell the heartbeat and the metrics file how a run went. Neither ever changes the result.

Called by `cli.cron`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def heartbeat_of(invocation: "Invocation", url: str | None) -> Any:
    """Return the heartbeat that the command line or the configuration names, None without one."""
    return None


async def ping_start(heartbeat: Any, invocation: "Invocation") -> None:
    """Tell that the run has started."""


async def tell_end(
    heartbeat: Any, metrics_file: Path | None, invocation: "Invocation", outcome: "Outcome"
) -> None:
    """Tell how the run ended."""
