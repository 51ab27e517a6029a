"""Fit a screen to a width without ever hiding a digit.

Promises: with a width, first the optional columns go, then shrinkable columns are cut in the
middle, and when that is not enough every row becomes a card of `heading  value` lines. Without a
width (a pipe, a file) every record is one full line. Pure: called by `screen.terminal` and tests.
"""

from collections.abc import Iterator, Sequence

from resyncctl.screen.document import Block, Cell, Column, Line, Row, Screen, Table, to_ascii
from resyncctl.screen.text import Look, shorten

GAP = 2
Laid = tuple[Cell, ...]


def lay_out(screen: Screen, look: Look) -> Iterator[Laid]:
    """Return the lines of the screen, each a run of styled cells."""
    for block in screen:
        shown: Block = block if look.unicode else to_ascii(block)
        if isinstance(shown, Line):
            yield from _lay_line(shown, look.width)
        else:
            yield from _lay_table(shown, look)


def _lay_line(line: Line, width: int | None) -> Iterator[Laid]:
    """Wrap at spaces; a word that is longer than the line is left whole, it may be a path."""
    indent = Cell(" " * line.indent)
    if width is None or line.indent + sum(_width(cell.text) for cell in line.cells) <= width:
        yield (indent, *line.cells) if line.indent else line.cells
        return
    current: list[Cell] = [indent] if line.indent else []
    used = line.indent
    for word, style in _words(line.cells):
        if used + _width(word.rstrip()) > width and used > line.indent:
            yield _stripped(current)
            current, used = [Cell(" " * (line.indent + GAP))], line.indent + GAP
        current.append(Cell(word, style))
        used += _width(word)
    yield _stripped(current)


def _words(cells: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    for cell in cells:
        text = cell.text
        while text:
            cut = len(text) - len(text.lstrip(" "))
            end = text.find(" ", cut)
            end = len(text) if end < 0 else end + 1
            yield text[:end], cell.style
            text = text[end:]


def _stripped(cells: Sequence[Cell]) -> Laid:
    *rest, last = cells
    return (*rest, Cell(last.text.rstrip(), last.style))


def _lay_table(table: Table, look: Look) -> Iterator[Laid]:
    if not table.rows:
        return
    for chosen in _candidates(table):
        widths = [_natural(chosen, index) for index in range(len(chosen.columns))]
        if look.width is None or _total(widths) <= look.width:
            yield from _rows(chosen, widths, look)
            return
        shrunk = _shrink(chosen, widths, look.width)
        if shrunk is not None:
            yield from _rows(chosen, shrunk, look)
            return
    yield from _cards(table, look)


def _candidates(table: Table) -> Iterator[Table]:
    """Return the table as it is, then with its optional columns dropped from the right."""
    yield table
    current = table
    for index in reversed(range(len(table.columns))):
        if table.columns[index].optional:
            current = _without(current, index)
            yield current


def _without(table: Table, index: int) -> Table:
    def cut(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return cells[:index] + cells[index + 1 :]

    columns = table.columns[:index] + table.columns[index + 1 :]
    return Table(columns, tuple(Row(cut(row.cells), row.below) for row in table.rows))


def _natural(table: Table, index: int) -> int:
    heading = table.columns[index].heading
    return max(_width(heading), *(_width(row.cells[index].text) for row in table.rows))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shrink(table: Table, widths: Sequence[int], width: int) -> list[int] | None:
    """Take one character at a time from the widest shrinkable column, down to its least."""
    result = list(widths)
    least = [
        max(column.least, _width(column.heading)) if column.shrink else width_now
        for column, width_now in zip(table.columns, widths, strict=True)
    ]
    while _total(result) > width:
        spare = [
            (now - floor, index)
            for index, (now, floor) in enumerate(zip(result, least, strict=True))
        ]
        most, index = max(spare)
        if most <= 0:
            return None
        result[index] -= 1
    return result


def _rows(table: Table, widths: Sequence[int], look: Look) -> Iterator[Laid]:
    headings = [Cell(column.heading, "bold") for column in table.columns]
    yield _laid_row(table.columns, headings, widths, look)
    for row in table.rows:
        yield _laid_row(table.columns, row.cells, widths, look)
        for below in row.below:
            yield from _lay_line(below, look.width)


def _laid_row(
    columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int], look: Look
) -> Laid:
    laid: list[Cell] = []
    for index, (column, cell, width) in enumerate(zip(columns, cells, widths, strict=True)):
        text = shorten(cell.text, width, unicode=look.unicode) if column.shrink else cell.text
        pad = " " * (width - _width(text))
        shown = pad + text if column.right else text + pad
        laid.append(Cell(shown, cell.style))
        if index < len(columns) - 1:
            laid.append(Cell(" " * GAP))
    return _stripped(laid) if laid else ()


def _cards(table: Table, look: Look) -> Iterator[Laid]:
    label = max(_width(column.heading) for column in table.columns)
    for row in table.rows:
        for index, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            lead = "- " if index == 0 else "  "
            heading = column.heading + " " * (label - _width(column.heading))
            yield from _lay_line(Line((Cell(f"{lead}{heading}  ", "bold"), cell)), look.width)
        for below in row.below:
            yield from _lay_line(below, look.width)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
