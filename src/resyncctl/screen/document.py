"""What a screen is made of before it is drawn: lines and tables of marked text.

Invariant: cells hold text that already went through `safe_text`; `text_cell` does that. A column
may be shortened only when it says so (identifiers, words); quantities, prices and times never.
Built by the modules of the screens, drawn by `screen.layout` and `screen.terminal`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from resyncctl.screen.text import Look, Mark, ascii_text, safe_text


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text in one style. The style is a Rich style or empty."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. `least` is the width below which a shrinkable column may not go."""

    heading: str
    right: bool = False
    shrink: bool = False
    least: int = 8
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line made of cells. `indent` is kept when a long line is wrapped."""

    cells: tuple[Cell, ...]
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, with lines that belong to it below."""

    cells: tuple[Cell, ...]
    below: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


Block = Line | Table
Screen = tuple[Block, ...]


def cell(value: object, style: str = "") -> Cell:
    """Return a cell with the value made safe."""
    return Cell(safe_text(value), style)


def line(*parts: Cell | str, indent: int = 0) -> Line:
    """Return a line; plain strings are made safe."""
    cells = tuple(part if isinstance(part, Cell) else cell(part) for part in parts)
    return Line(cells, indent)


def state(look: Look, mark: Mark, word: str) -> Cell:
    """Return a state as glyph, word and colour."""
    return Cell(f"{mark.shown(look)} {safe_text(word)}", mark.style)


def row(*cells: Cell | object, below: Sequence[Line] = ()) -> Row:
    """Return a row; values that are not cells are made safe."""
    return Row(tuple(one if isinstance(one, Cell) else cell(one) for one in cells), tuple(below))


def to_ascii(block: Block) -> Block:
    """Return the block for a terminal that knows no Unicode."""
    if isinstance(block, Line):
        return Line(tuple(_ascii(one) for one in block.cells), block.indent)
    return Table(
        block.columns,
        tuple(
            Row(
                tuple(_ascii(one) for one in row.cells),
                tuple(
                    Line(tuple(_ascii(one) for one in below.cells), below.indent)
                    for below in row.below
                ),
            )
            for row in block.rows
        ),
    )


def _ascii(one: Cell) -> Cell:
    return Cell(ascii_text(one.text), one.style)
