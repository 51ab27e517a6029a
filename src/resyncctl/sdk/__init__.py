"""What a trading engine imports to be recoverable. Standard library only.

`Recoverable` is all that most bots need; `Gate`, `Acknowledger` and `CheckpointWriter` are for
those that keep their state themselves. `docs/how-to/make-your-bot-recoverable.md` shows a bot.
"""

from resyncctl.sdk.acknowledgement import Acknowledgement, Acknowledger, read_acknowledgement
from resyncctl.sdk.checkpoint import Checkpoint, LastSeen, read_checkpoint, require_fresh
from resyncctl.sdk.errors import GateClosed, RecoveryError
from resyncctl.sdk.gate import Gate, GateState, GateStatus, read_gate, write_gate
from resyncctl.sdk.ledger import Execution
from resyncctl.sdk.recoverable import Recoverable
from resyncctl.sdk.state import NewOrder
from resyncctl.sdk.writer import CheckpointWriter, Written

__all__ = [
    "Acknowledgement",
    "Acknowledger",
    "Checkpoint",
    "CheckpointWriter",
    "Execution",
    "Gate",
    "GateClosed",
    "GateState",
    "GateStatus",
    "LastSeen",
    "NewOrder",
    "Recoverable",
    "RecoveryError",
    "Written",
    "read_acknowledgement",
    "read_checkpoint",
    "read_gate",
    "require_fresh",
    "write_gate",
]
