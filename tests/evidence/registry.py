"""Which test guards which invariant, read from the text of the tests.

Promises: the answer depends on committed text only, not on what is installed or collected. Called
by the house test and by the generator of the evidence.
"""

import ast
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
NOT_BUILT = "not built yet"


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise in plain words. `note` says what is missing when it is not wholly built."""

    id: str
    group: str
    words: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class Guard:
    """A test that names invariants."""

    file: str
    test: str
    numbers: tuple[str, ...]


def invariants() -> list[Invariant]:
    """Return every invariant, in order."""
    rows = json.loads((Path(__file__).parent / "invariants.json").read_text(encoding="utf-8"))
    return [Invariant(**row) for row in rows]


@cache
def guards(tests: Path = TESTS) -> tuple[Guard, ...]:
    """Return every test with a marker, by file and name."""
    found = []
    for path in sorted(tests.rglob("test_*.py")):
        name = str(path.relative_to(tests.parent))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        whole_file = _of_the_file(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_test(node):
                own = [n for decorator in node.decorator_list for n in _numbers(decorator)]
                numbers = tuple(dict.fromkeys([*own, *whole_file]))
                if numbers or any(_marks(decorator) for decorator in node.decorator_list):
                    found.append(Guard(name, node.name, numbers))
    return tuple(sorted(found, key=lambda guard: (guard.file, guard.test)))


def by_invariant(found: Iterable[Guard]) -> dict[str, list[Guard]]:
    """Return the tests of each invariant that any test names."""
    sorted_out: dict[str, list[Guard]] = defaultdict(list)
    for guard in found:
        for number in guard.numbers:
            sorted_out[number].append(guard)
    return dict(sorted_out)


def _of_the_file(tree: ast.Module) -> list[str]:
    marks = [
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in statement.targets)
    ]
    return [
        number
        for mark in marks
        for part in (mark.elts if isinstance(mark, ast.List | ast.Tuple) else [mark])
        for number in _numbers(part)
    ]


def _is_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return node.name.startswith("test_")


def _marks(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(called) == "pytest.mark.invariant"


def _numbers(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Call) and _marks(node):
        for argument in node.args:
            yield str(argument.value) if isinstance(argument, ast.Constant) else "not a text"
