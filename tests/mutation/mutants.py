"""Small changes of a module's source, each of which a good test should notice.

Promises: the list of mutants of a source text is always the same; each differs from the original in
one place; annotations, docstrings, decorators, messages of exceptions and texts of progress lines
are left alone, because no law is about their words. Called by `hunt` and `plugin`.
"""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

MODULE = "(module)"
_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_REVERSE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_WORDS_ONLY = frozenset({"say", "Path", "debug", "TypeVar"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where it is, what it says, and the whole text that results."""

    key: str
    function: str
    line: int
    before: str
    after: str
    source: str


@dataclass(frozen=True, slots=True)
class _Change:
    node: ast.expr | ast.stmt
    after: str
    function: str


def mutants_of(source: str) -> list[Mutant]:
    """Return every mutant of a source text that still compiles, in the order of the text."""
    data = source.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for change in _walk(ast.parse(source), MODULE):
        node = change.node
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        before = data[begin:end].decode()
        text = (data[:begin] + change.after.encode() + data[end:]).decode()
        try:
            compile(text, "mutant", "exec")
        except SyntaxError:
            continue
        words = f"{change.function}|{' '.join(before.split())}|{change.after}"
        seen[words] = seen.get(words, 0) + 1
        key = hashlib.sha256(f"{words}|{seen[words]}".encode()).hexdigest()[:12]
        found.append(
            Mutant(key, change.function, node.lineno, _short(before), _short(change.after), text)
        )
    return found


def _short(text: str) -> str:
    return " ".join(text.split())[:90]


def _walk(node: ast.AST, function: str) -> Iterator[_Change]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from _definition(node, function)
        return
    if _is_wording(node):
        return
    if isinstance(node, ast.expr):
        yield from (_Change(node, after, function) for after in _expression(node))
    if isinstance(node, ast.stmt):
        yield from (_Change(node, after, function) for after in _statement(node))
    for child in _children(node):
        yield from _walk(child, function)


def _definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, function: str
) -> Iterator[_Change]:
    if not isinstance(node, ast.ClassDef):
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                yield from _walk(default, function)
    inner = node.name if function == MODULE else f"{function}.{node.name}"
    for statement in node.body:
        if not _is_docstring(statement):
            yield from _walk(statement, inner)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below that is worth changing: no annotations, no messages, no f-strings."""
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.Raise):
        return
    if isinstance(node, ast.Call) and _name(node.func) in _WORDS_ONLY:
        return
    if isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield node.value
        return
    for child in ast.iter_child_nodes(node):
        if not _is_docstring(child):
            yield child


def _is_wording(node: ast.AST) -> bool:
    """Whether this only chooses between texts for people."""
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) and _is_text(node.orelse)
    return isinstance(node, ast.BoolOp) and _is_text(node.values[-1])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _name(node: ast.expr) -> str:
    return str(getattr(node, "attr", None) or getattr(node, "id", ""))


def _expression(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        yield from _comparisons(node)
    elif isinstance(node, ast.BoolOp):
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"({ast.unparse(ast.BoolOp(other, node.values))})"
        for index in range(len(node.values)):
            rest = [value for at, value in enumerate(node.values) if at != index]
            kept = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            yield f"({ast.unparse(kept)})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        changed = ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        yield f"({ast.unparse(changed)})"
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.IfExp):
        yield f"({ast.unparse(node.body)})"
        yield f"({ast.unparse(node.orelse)})"
    elif isinstance(node, ast.Call) and _name(node.func) in {"max", "min"}:
        other_name = "min" if _name(node.func) == "max" else "max"
        yield ast.unparse(ast.Call(ast.Name(other_name), node.args, node.keywords))
    elif isinstance(node, ast.Call) and _name(node.func) in {"all", "any"}:
        other_name = "any" if _name(node.func) == "all" else "all"
        yield ast.unparse(ast.Call(ast.Name(other_name), node.args, node.keywords))


def _comparisons(node: ast.Compare) -> Iterator[str]:
    for table in (_COMPARE, _REVERSE):
        for index, operator in enumerate(node.ops):
            if type(operator) not in table:
                continue
            operators = list(node.ops)
            operators[index] = table[type(operator)]()
            yield f"({ast.unparse(ast.Compare(node.left, operators, node.comparators))})"


def _constant(node: ast.Constant) -> Iterator[str]:
    if isinstance(node.value, bool):
        yield str(not node.value)
    elif isinstance(node.value, int):
        yield str(node.value + 1)
    elif isinstance(node.value, str) and node.value.lstrip("-").isdigit():
        yield repr(node.value + "0")


def _statement(node: ast.stmt) -> Iterator[str]:
    yields = isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom)
    if isinstance(node, ast.Expr | ast.Raise | ast.AugAssign) and not yields:
        yield "pass"
    elif isinstance(node, ast.Continue):
        yield "break"
    elif isinstance(node, ast.Break):
        yield "pass"
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from _returns(node.value)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
        return
    elif isinstance(node, ast.If | ast.While) and _plain(node.test):
        # A comparison or a "not" is already turned round where it stands.
        head = "while" if isinstance(node, ast.While) else "if"
        changed = ast.unparse(node)
        text = f"{head} {ast.unparse(node.test)}:"
        if changed.startswith(text):
            yield _indented(
                changed.replace(text, f"{head} not ({ast.unparse(node.test)}):", 1), node
            )


def _returns(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool | None):
        return
    if not isinstance(value, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.IfExp):
        yield "return None"


def _plain(test: ast.expr) -> bool:
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant)


def _indented(text: str, node: ast.stmt) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * node.col_offset + line for line in rest)])
