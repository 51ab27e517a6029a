"""Run one cancel-all per way to die, each in a process of its own that ends itself with SIGKILL.

Called by `test_crashes` with a folder; every scenario gets a folder in there. One process forks all
the scenarios, so that importing is paid for once.
"""

import os
import signal
import sys
from pathlib import Path

from tests.adapters.store.desk import Desk
from tests.fakes.fake_venue import FakeVenue

MOMENTS = ("before the sync", "after the sync", "on the wire", "after the wire")
MOST = 40


def main(folder: Path) -> None:
    """Kill one run at each moment until a run gets through to its end alive."""
    for moment in MOMENTS:
        for count in range(1, MOST):
            place = folder / moment.replace(" ", "-") / f"{count:02d}"
            place.mkdir(parents=True)
            child = os.fork()
            if child == 0:
                run(place, moment, count)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            if os.WIFEXITED(status):
                (place / "survived").write_text(str(os.WEXITSTATUS(status)))
                break


def run(place: Path, moment: str, count: int) -> None:
    """One run that dies when `moment` comes for the `count`th time."""
    seen = {"sync": 0, "wire": 0}
    wire = os.open(place / "wire.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def die_if(kind: str, when: str) -> None:
        if moment == when and seen[kind] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def sync(handle: int) -> None:
        seen["sync"] += 1
        die_if("sync", "before the sync")
        os.fsync(handle)
        die_if("sync", "after the sync")

    def on_wire(venue: FakeVenue) -> None:
        seen["wire"] += 1
        die_if("wire", "on the wire")
        os.write(wire, f"{venue.permits[-1].intent_id}\n".encode())
        die_if("wire", "after the wire")

    desk = make_desk(place)
    desk.sync, desk.on_wire = sync, on_wire
    desk.cancel_all(desk.venue())


def make_desk(place: Path) -> Desk:
    """The records of one scenario."""
    engine = place / "engine" / "gate.json"
    engine.parent.mkdir(exist_ok=True)
    (place / "fallback").mkdir(mode=0o700, exist_ok=True)
    return Desk(place / "state", engine, place / "fallback" / "digest")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
