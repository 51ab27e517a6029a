"""The draft of a post-mortem: one incident as Markdown or as a page that stands alone.

Promises: reasons, notes and findings come from people and exchanges and are shown as text, never
as markup: Markdown is escaped, HTML is escaped, the page has no script, loads nothing, and says so
to the browser. What is not known has a section of its own, before anybody draws conclusions.
Called by `incident export`.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from resyncctl.core.incident import Incident
from resyncctl.screen.incidents import figures
from resyncctl.screen.text import moment, plural, rfc3339, safe_text, span

_MARKS = re.compile(r"([\\`*_\[\]|~>&])")
"""What means something inside of a line. No text from outside stands at the beginning of one."""
_QUESTIONS = (
    "What did the operator see first, and how long before the gate was closed?",
    "What caused it?",
    "What went well, and what was luck?",
    "What will be changed, by whom, until when?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One section: a heading, sentences, a table or a list; whatever it does not have is empty."""

    heading: str
    sentences: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    points: tuple[str, ...] = ()


def markdown(incident: Incident, now_ms: int) -> str:
    """Return the draft as Markdown."""
    return "".join(_markdown_lines(incident, now_ms))


def page(incident: Incident, now_ms: int) -> str:
    """Return the draft as one HTML page."""
    return "".join(_page_lines(incident, now_ms))


def _title(incident: Incident) -> str:
    return f"Incident {incident.incident_id} on {incident.account}"


def _parts(incident: Incident, now_ms: int) -> Iterator[_Part]:
    yield _Part(heading="Summary", sentences=tuple(_summary(incident, now_ms)))
    yield _Part(heading="Figures", columns=("figure", "value"), rows=tuple(figures(incident)))
    yield _Part(
        heading="What is not known",
        points=incident.not_known or ("Nothing that was looked for is missing from the record.",),
    )
    yield _Part(
        heading="Timeline",
        columns=("time (UTC)", "after", "what", "run"),
        rows=tuple(
            (rfc3339(one.at_ms), f"+{span(one.at_ms - incident.began_ms)}", one.text, one.run_id)
            for one in incident.timeline
        ),
    )
    yield _Part(
        heading="Runs",
        columns=("run", "command", "cancels", "unanswered", "exit"),
        rows=tuple(
            (
                one.run_id,
                one.command,
                str(one.cancels) if one.readable else "?",
                str(one.unanswered) if one.readable else "?",
                "?" if one.exit_code is None else str(one.exit_code),
            )
            for one in incident.runs
        ),
    )
    if incident.findings:
        yield _Part(
            heading="Findings of the last comparison",
            columns=("severity", "finding", "subject", "detail"),
            rows=tuple(
                (one.severity, one.kind, one.subject, one.detail) for one in incident.findings
            ),
        )
    if incident.notes:
        yield _Part(
            heading="Notes",
            columns=("time (UTC)", "by", "note"),
            rows=tuple((rfc3339(one.at_ms), one.by, one.text) for one in incident.notes),
        )
    yield _Part(heading="To be written", points=_QUESTIONS)


def _summary(incident: Incident, now_ms: int) -> Iterator[str]:
    yield f"Reason: {incident.reason or '(none was recorded)'}"
    began = f"It began {moment(incident.began_ms)}"
    who = f" by {incident.by}" if incident.by else ""
    lasted = span(incident.lasted_ms(now_ms))
    if incident.is_open:
        yield f"{began}{who} and is open after {lasted}."
    else:
        ended = moment(incident.ended_ms)
        yield f"{began}{who} and ended {ended} after {lasted}: {incident.ended_how}."
    yield f"{plural(len(incident.runs), 'run')} took part."
    yield f"Written {moment(now_ms)} from the records of this host."


def _markdown_lines(incident: Incident, now_ms: int) -> Iterator[str]:
    yield f"# {_md(_title(incident))}\n"
    for part in _parts(incident, now_ms):
        yield f"\n## {_md(part.heading)}\n\n"
        yield from (f"{_md(words)}\n\n" for words in part.sentences)
        if part.columns:
            yield _md_row(part.columns)
            yield _md_row(["---"] * len(part.columns), raw=True)
            yield from (_md_row(cells) for cells in part.rows)
        yield from (f"- {_md(words)}\n" for words in part.points)


def _md_row(cells: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(cell if raw else _md(cell) for cell in cells) + " |\n"


def _md(text: str) -> str:
    return _MARKS.sub(r"\\\1", safe_text(text)).replace("<", "&lt;")


def _page_lines(incident: Incident, now_ms: int) -> Iterator[str]:
    title = _ht(_title(incident))
    yield _HEAD.replace("TITLE", title)
    yield f"<h1>{title}</h1>\n"
    for part in _parts(incident, now_ms):
        yield f"<section>\n<h2>{_ht(part.heading)}</h2>\n"
        yield from (f"<p>{_ht(words)}</p>\n" for words in part.sentences)
        if part.columns:
            yield "<table>\n<thead>" + _ht_row("th", part.columns) + "</thead>\n<tbody>\n"
            yield from (_ht_row("td", cells) + "\n" for cells in part.rows)
            yield "</tbody>\n</table>\n"
        if part.points:
            yield "<ul>\n" + "".join(f"<li>{_ht(one)}</li>\n" for one in part.points) + "</ul>\n"
        yield "</section>\n"
    yield "</body>\n</html>\n"


def _ht_row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_ht(one)}</{tag}>" for one in cells) + "</tr>"


def _ht(text: str) -> str:
    return html.escape(safe_text(text))


_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
th { border-bottom: 2px solid #888; } td:first-child { white-space: nowrap; }
@media print { body { margin: 0; } }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16191d; }
  th, td { border-color: #444; } }
</style>
</head>
<body>
"""
