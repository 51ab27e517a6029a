"""Find the line of a key in a TOML text, so that a mistake can be named by its place.

Promises: reads the text only; values never leave this module. The text is known to be valid TOML
(`tomllib` has read it), so the scanner may be simple. When a key is not in the text, the line of
its nearest ancestor is given. Called by `settings.load` and `settings.origin`.
"""

import re
from collections.abc import Iterator, Sequence

_KEY = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*')"
_DOTTED = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*")
_PART = re.compile(_KEY)
_STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)
KeyPath = tuple[str, ...]


def key_lines(text: str) -> dict[KeyPath, int]:
    """Given a valid TOML text, return the line (from 1) on which every key path first appears."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    blank = _without_values(text)
    position = 0
    while position < len(text):
        end = _statement_end(blank, position)
        statement, hidden = text[position:end], blank[position:end]
        start = len(statement) - len(statement.lstrip())
        line = text.count("\n", 0, position + start) + 1
        if hidden.strip().startswith("["):
            table = _parts(_header_key(statement.strip().strip("[]").strip()))
            _remember(lines, table, line)
        elif "=" in hidden:
            _scan_pair(statement, hidden, table, line, lines)
        position = end + 1
    return lines


def _header_key(text: str) -> str:
    """Return a header's dotted key without a comment or bracket that follows it."""
    found = _DOTTED.match(text)
    return found.group(1) if found else ""


def line_of(lines: dict[KeyPath, int], path: Sequence[str]) -> int | None:
    """Return the line of `path`, else of its nearest ancestor, else None."""
    wanted = tuple(path)
    while wanted:
        if wanted in lines:
            return lines[wanted]
        wanted = wanted[:-1]
    return None


def _scan_pair(
    statement: str, hidden: str, table: KeyPath, line: int, lines: dict[KeyPath, int]
) -> None:
    equals = hidden.index("=")
    key = table + _parts(statement[:equals])
    _remember(lines, key, line)
    if hidden[equals + 1 :].lstrip().startswith("{"):
        for inner, offset in _inline_keys(statement, hidden, key):
            _remember(lines, inner, line + statement[:offset].lstrip().count("\n"))


def _inline_keys(statement: str, hidden: str, key: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """Follow the keys of an inline table: each is the word between `{` or `,` and `=`."""
    path = [key]
    brackets = 0
    start = word_start = hidden.index("=") + 1
    for index in range(start, len(hidden)):
        letter = hidden[index]
        brackets += {"[": 1, "]": -1}.get(letter, 0)
        if letter in "{," and brackets == 0:
            word_start = index + 1
            if letter == "{":
                path.append(path[-1])
        elif letter == "=" and brackets == 0:
            path[-1] = path[-2] + _parts(statement[word_start:index])
            yield path[-1], index
        elif letter == "}" and len(path) > 1:
            path.pop()


def _without_values(text: str) -> str:
    """Return the text with strings and comments blanked out, same length, same line ends."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found.group())

    return _STRINGS.sub(blank, text)


def _statement_end(blank: str, position: int) -> int:
    """Return the end of the statement at `position`: the next line end outside of brackets."""
    depth = 0
    for index in range(position, len(blank)):
        letter = blank[index]
        if letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "\n" and depth <= 0:
            return index
    return len(blank)


def _parts(text: str) -> KeyPath:
    found = _DOTTED.match(text)
    if not found:
        return ()
    return tuple(part.strip("\"'") for part in _PART.findall(found.group(1)))


def _remember(lines: dict[KeyPath, int], key: KeyPath, line: int) -> None:
    for length in range(1, len(key) + 1):
        lines.setdefault(key[:length], line)
