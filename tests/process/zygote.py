"""A warmed interpreter that forks a real process of the command line for each request.

Importing the exchange library costs more than a whole kill scenario, so it is imported once. Each
fork is a process of its own: own id, own signals, own limits, own environment, own files. Inside it
every effect is counted: a file that was made durable, or a changing request whose answer arrived.
At the chosen effect the process sends itself the chosen signal, which no polling from outside could
do exactly.

Reads one JSON document per line on standard input, answers with the process id, and writes the exit
status into `FOLDER/exit` when the process is gone. Started by `tests.process.harness`.
"""

import contextlib
import fcntl
import json
import os
import resource
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

_real_fsync = os.fsync
_effects: dict[str, Any] = {"count": 0, "trace": -1, "at": 0, "signal": 0, "held": 0}
_CHANGING = frozenset({"POST", "PUT", "DELETE"})


def _effect(name: str) -> None:
    if _effects["trace"] < 0:
        return
    _effects["count"] += 1
    with contextlib.suppress(OSError):  # the disk may be full on purpose
        os.write(_effects["trace"], f"{name}\n".encode())
    wanted = _effects["at"]
    if _effects["count"] == wanted or (isinstance(wanted, str) and name.startswith(wanted)):
        _effects["at"] = 0
        os.kill(os.getpid(), _effects["signal"])


def _fsync(file: Any) -> None:
    _real_fsync(file)
    handle = file if isinstance(file, int) else file.fileno()
    if _effects["trace"] < 0:
        return
    name = Path(os.readlink(f"/proc/self/fd/{handle}")).name
    if name == "journal.jsonl":
        _effect(f"record {_last_event(handle)}")
    elif "gate" in name:
        _effect("gate file")
    elif "checkpoint" in name:
        _effect("checkpoint")


def _last_event(handle: int) -> str:
    """Return the event of the last whole record; the file may have been reserved beyond it."""
    with contextlib.suppress(OSError, ValueError, IndexError, KeyError):
        text = Path(f"/proc/self/fd/{handle}").read_bytes().rstrip(b"\0\n ")
        return str(json.loads(text.split(b"\n")[-1])["event"])
    return "of nothing yet"


def _count_requests() -> None:
    import aiohttp

    original: Callable[..., Any] = aiohttp.ClientSession._request

    async def counted(self: Any, method: str, url: Any, **options: Any) -> Any:
        answer = await original(self, method, url, **options)
        if method.upper() in _CHANGING:
            _effect(f"answer {method.upper()} {getattr(url, 'path', url)}".split("?")[0])
        return answer

    aiohttp.ClientSession._request = counted  # type: ignore[method-assign,assignment]


def _warm() -> None:
    import importlib
    import pkgutil

    import resyncctl

    for module in pkgutil.walk_packages(resyncctl.__path__, "resyncctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    from resyncctl.adapters.venues.via_ccxt.loader import venue_class

    venue_class("binance")


def _child(wish: dict[str, Any]) -> None:
    os.setsid()
    folder = Path(wish["folder"])
    if terminal := wish.get("terminal"):
        handles = [os.open(terminal, os.O_RDWR)] * 3
        with contextlib.suppress(OSError):
            fcntl.ioctl(handles[0], termios.TIOCSCTTY, 0)
    else:
        modes = (os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        names = ("fifo", "fifo") if wish.get("fifo") else ("out", "err")
        handles = [
            os.open(os.devnull, os.O_RDONLY),
            *(os.open(folder / name, *modes) for name in names),
        ]
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        mode = "r" if number == 0 else "w"
        setattr(sys, stream, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    os.environ.clear()
    os.environ.update(wish["environ"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (limit := wish.get("file_size")) is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    _effects["trace"] = os.open(folder / "trace", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _effects["at"] = wish.get("at", 0)
    _effects["signal"] = wish.get("signal", 0)
    from resyncctl.cli.app import main

    code = main(wish["argv"], stdout=sys.stdout, stderr=sys.stderr)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _keeper(wish: dict[str, Any], answer: int) -> None:
    """Fork the command, tell its id, wait for it, and write down how it ended."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _child(wish)
        except BaseException:  # noqa: BLE001  # the fork must never run the zygote's loop
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        os._exit(code)
    os.write(answer, str(pid).encode())
    os.close(answer)
    _, status = os.waitpid(pid, 0)
    written = Path(wish["folder"]) / "exit.part"
    written.write_text(str(os.waitstatus_to_exitcode(status)))
    written.rename(written.with_name("exit"))
    os._exit(0)


def main() -> None:
    """Warm up, then fork for every line that comes in."""
    os.fsync = _fsync  # type: ignore[assignment]  # the parameter has another name
    _warm()
    _count_requests()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)  # noqa: T201  # the harness waits for it
    for line in sys.stdin:
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _keeper(json.loads(line), writing)
        os.close(writing)
        print(os.read(reading, 32).decode(), flush=True)  # noqa: T201
        os.close(reading)


if __name__ == "__main__":
    main()
