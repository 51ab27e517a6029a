"""One process that collects the tests once and tries every mutant of a target in a forked child.

The tests are collected and run once under coverage to learn which test reaches which line. Then,
for each mutant, a child is forked, the code object of the changed function is put in the place of
the original, and the tests that reach the line are run, quickest first, until one fails. A mutant
outside of any function needs a fresh import, so it gets a fresh process.

Run by `hunt`, in a copy of the repository: `python -m tests.mutation.worker NAME RECORD [quick]`;
`quick` does not try survivors again whose reason is written down.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest

from tests.mutation.mutants import MODULE, Mutant, mutants_of
from tests.mutation.targets import TARGETS, Target

QUIET = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-m", "not process and not slow")
ACCEPTED = Path(__file__).parent / "accepted.json"
SLOWEST_S = 8.0
"""How long the tests of one mutant may take together when nothing is wrong."""


class Hunter:
    """A pytest plugin that takes the place of the loop over the tests."""

    def __init__(self, target: Target, record: Path, *, quick: bool = False) -> None:
        self.target = target
        self.record = record
        self.settled = tried(record, ACCEPTED if quick else None)
        self.failed = False
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn how long a test took and whether it failed."""
        self.failed = self.failed or report.failed
        self.seconds[report.nodeid] += report.duration

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn what each test reaches, then try the mutants."""
        items = {item.nodeid: item for item in session.items}
        paths = [path for pattern in self.target.modules for path in sorted(Path().glob(pattern))]
        reached, self.seconds = self._reach(list(items.values()), paths)
        live_functions = {path: _functions(path) for path in paths}
        gc.freeze()  # only now: what is frozen is not listed any more
        for path in paths:
            live = live_functions[path]
            for mutant in mutants_of(path.read_text()):
                if (str(path), mutant.key) in self.settled:
                    continue
                began = time.monotonic()
                tests = self._choose(mutant, reached[str(path)], live)
                verdict = self._try(path, mutant, live, [items[name] for name in tests])
                note(self.record, path, mutant, verdict, (len(tests), time.monotonic() - began))
        return True

    def _reach(
        self, items: list[pytest.Item], paths: list[Path]
    ) -> tuple[dict[str, dict[int, list[str]]], dict[str, float]]:
        """Run every test once in a child, under coverage."""
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "reach.json"
            if _in_child(lambda: self._measure(items, paths, answer), 900) != 0:
                raise RuntimeError(f"the tests of {self.target.name} are not green by themselves")
            found = json.loads(answer.read_text())
        lines = {
            path: {int(line): names for line, names in rows.items()}
            for path, rows in found["lines"].items()
        }
        return defaultdict(dict, lines), found["seconds"]

    def _measure(self, items: list[pytest.Item], paths: list[Path], answer: Path) -> int:
        cover = coverage.Coverage(
            data_file=None, include=[str(path.resolve()) for path in paths], config_file=False
        )
        cover.start()
        for item, following in _pairs(items):
            cover.switch_context(item.nodeid)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                os.write(2, f"red without any mutant: {item.nodeid}\n".encode())
                return 1
        cover.stop()
        data = cover.get_data()
        lines = {
            str(path): {
                line: [name for name in names if name]
                for line, names in data.contexts_by_lineno(str(path.resolve())).items()
            }
            for path in paths
        }
        answer.write_text(json.dumps({"lines": lines, "seconds": self.seconds}))
        return 0

    def _choose(
        self, mutant: Mutant, reached: dict[int, list[str]], live: dict[str, list[FunctionType]]
    ) -> list[str]:
        names = set(reached.get(mutant.line, ()))
        if not names and (mutant.function == MODULE or _swappable(mutant, live) is None):
            # What runs while the module is imported may concern any test.
            names = set(self.seconds)
        elif not names:
            # A continued line is counted at the start of its statement.
            near = [line for line in reached if mutant.line - 12 <= line <= mutant.line + 3]
            names = {name for line in near for name in reached[line]}
        chosen: list[str] = []
        total = 0.0
        for name in sorted(names, key=lambda name: (self.seconds[name], name)):
            total += self.seconds[name]
            if total > SLOWEST_S and chosen:
                break
            chosen.append(name)
        return chosen

    def _try(
        self, path: Path, mutant: Mutant, live: dict[str, list[FunctionType]], items: list[Any]
    ) -> str:
        if not items:
            return "no test reaches it"
        limit_s = 2 * sum(self.seconds[item.nodeid] for item in items) + 4
        swap = _swap(path, mutant, live)
        if swap is None:
            return _fresh(path, mutant, [item.nodeid for item in items], limit_s)

        def run() -> int:
            for function, code in swap:
                function.__code__ = code
            self.failed = False
            for item, following in _pairs(items):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
                if self.failed:
                    return 1
            return 0

        return {0: "survived", None: "killed by time"}.get(_in_child(run, limit_s), "killed")


def _pairs(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)


def _in_child(work: Any, limit_s: float) -> int | None:
    """Run in a forked child. Return its exit code, or None when it took too long."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 3
        with contextlib.suppress(BaseException):
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 1)
            code = work()
        os._exit(code)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _functions(path: Path) -> dict[str, list[FunctionType]]:
    """Every live function of a module, by qualified name, in the order of the text."""
    name = ".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__")
    __import__(name)
    wanted = str(path.resolve())
    found: dict[str, list[FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == wanted:
            found[thing.__code__.co_qualname].append(thing)
    for functions in found.values():
        functions.sort(key=lambda function: function.__code__.co_firstlineno)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _swap(
    path: Path, mutant: Mutant, live: dict[str, list[FunctionType]]
) -> list[tuple[FunctionType, CodeType]] | None:
    """Return which function gets which code, or None when only a fresh import will do."""
    name = _swappable(mutant, live)
    if name is None:
        return None
    compiled = compile(mutant.source, str(path.resolve()), "exec", dont_inherit=True)
    codes = [code for code in _codes(compiled) if code.co_qualname == name]
    lines = sorted({function.__code__.co_firstlineno for function in live[name]})
    if len(codes) != len(lines):
        return None
    by_line = dict(zip(lines, codes, strict=True))
    swaps = [(function, by_line[function.__code__.co_firstlineno]) for function in live[name]]
    if any(f.__code__.co_freevars != code.co_freevars for f, code in swaps):
        return None
    return swaps


def _swappable(mutant: Mutant, live: dict[str, list[FunctionType]]) -> str | None:
    """Return the function whose code can be exchanged so that the mutant comes to life.

    A function that made functions while the module was imported will not be called again.
    """
    parts = mutant.function.split(".")
    names = [".".join(parts[: number + 1]) for number in range(len(parts))]
    name = next((name for name in names if name in live), None)
    made = name is not None and any(known.startswith(f"{name}.<locals>.") for known in live)
    return None if made else name


def _fresh(path: Path, mutant: Mutant, tests: list[str], limit_s: float) -> str:
    """Write the changed file into this copy of the repository and run a whole new process."""
    original = path.read_text()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
        names.write("\n".join(tests))
        names.flush()
        path.write_text(mutant.source)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *QUIET, "-x", f"@{names.name}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=limit_s + 60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "killed by time"
        finally:
            path.write_text(original)
    return "survived" if done.returncode == 0 else "killed"


def tried(record: Path, accepted: Path | None) -> set[tuple[str, str]]:
    """What is settled: killed mutants stay killed, survivors are tried again unless accepted."""
    if not record.exists():
        return set()
    reasons = json.loads(accepted.read_text()) if accepted is not None else {}
    rows = [json.loads(line) for line in record.read_text().splitlines()]
    return {
        (r["module"], r["key"])
        for r in rows
        if r["verdict"].startswith("killed") or (r["verdict"] == "survived" and r["key"] in reasons)
    }


def note(record: Path, path: Path, mutant: Mutant, verdict: str, cost: tuple[int, float]) -> None:
    """Append one result at once, so that a broken-off hunt can go on."""
    row = {"module": str(path), "key": mutant.key, "verdict": verdict, "tests": cost[0]}
    row |= {"seconds": round(cost[1], 2)}
    row |= {"line": mutant.line, "function": mutant.function}
    row |= {"before": mutant.before, "after": mutant.after}
    with record.open("a") as file:
        file.write(json.dumps(row) + "\n")


def files_of(patterns: Iterable[str]) -> list[str]:
    """Return the test files that exist."""
    return [str(path) for pattern in patterns for path in sorted(Path().glob(pattern))]


def main(name: str, record: str, how: str = "") -> int:
    """Hunt the mutants of one target."""
    (target,) = (target for target in TARGETS if target.name == name)
    if not any(sorted(Path().glob(pattern)) for pattern in target.modules):
        return 0
    files = files_of(target.tests)
    return int(
        pytest.main([*QUIET, *files], plugins=[Hunter(target, Path(record), quick=how == "quick")])
    )


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
