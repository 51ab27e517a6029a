"""The storm's figures as lines of Markdown. Called by `report`; missing figures are said to be."""

from collections.abc import Iterator, Mapping
from typing import Any

STORM = """\
Each seed makes a world on the practice exchange under a virtual clock (an engine that may still
send, fills, lagging replicas, one or two operators, an unattended job), draws faults, and runs the
tool's own procedures in it. The exchange's ground truth judges every step.
"""
ABLATIONS = """\
Each protection was switched off in tests, alone and in pairs. A storm that cannot see the
difference would prove nothing; a red seed shows that the protection is needed and that the storm
can tell.
"""
ZEROES = (
    ("false_safe", "SAFE said while an unexpected order rested"),
    ("flips", "positions that changed their sign through our orders"),
    ("increases", "positions that grew through our orders"),
    ("unjournaled", "changing requests without an earlier journaled intent"),
)
TIMES = (
    ("time_to_safe", "virtual time to SAFE"),
    ("time_to_flat", "virtual time to flat"),
    ("time_after_faults_stop", "virtual time to a good end after the faults stopped"),
)
COUNTS = (
    ("faults_fired", "faults fired"),
    ("faults_effective", "faults that changed what the exchange did or showed"),
    ("mutations", "changing requests that reached the exchange"),
    ("orders_sent", "reducing orders among them"),
    ("virtual_hours", "virtual hours"),
)
ENDINGS = (
    ("verdicts", "how the first run ended"),
    ("second_operator", "how the second operator's run ended"),
    ("after_faults_stop", "how a run ended after the faults stopped"),
    ("resumed", "resumes"),
    ("accounts", "kind of account / operators"),
    ("violations", "violations of invariants"),
)

RATES = (
    ("unknown_rate", "share of seeds that ended UNKNOWN"),
    (
        "unknown_rate_whole",
        "the same with engines that nobody can prove silent and with rests of a flatten",
    ),
)


def campaign_lines(campaign: Any) -> Iterator[str]:
    """Return the section about the storm."""
    yield "## The storm\n"
    yield STORM
    parts = campaign if isinstance(campaign, list) else [campaign] if campaign else []
    if not parts:
        yield "Not run yet.\n"
        return
    for part in parts:
        yield from _profile(part)
    yield from _cells(parts)


def _profile(part: Mapping[str, Any]) -> Iterator[str]:
    seeds = int(part["seeds"])
    yield f"### {part.get('profile') or 'all profiles'}: {_number(seeds)} seeds\n"
    yield "| figure | value |"
    yield "| --- | ---: |"
    for key, words in ZEROES:
        yield f"| {words} | {_bounded(int(part.get(key, 0)), seeds)} |"
    yield from (f"| {words} | {float(part[key]):.2%} |" for key, words in RATES if key in part)
    for key, words in TIMES:
        if spread := part.get(key):
            told = ", ".join(f"{name} {_seconds(value)}" for name, value in spread.items())
            yield f"| {words} | {told} |"
    for key, words in COUNTS:
        if key in part:
            yield f"| {words} | {_number(part[key])} |"
    yield ""
    for key, words in ENDINGS:
        yield from _counted(part.get(key), words)
    if red := part.get("red_seeds"):
        yield f"Red seeds: {', '.join(str(seed) for seed in red)}.\n"
    reasons = sorted(dict(part.get("unknown_reasons", {})).items(), key=lambda r: (-r[1], r[0]))
    if reasons:
        yield "What was named as missing where not everything was proved:\n"
        yield from (f"- {_number(count)} times: {reason}" for reason, count in reasons)
        yield ""


def _counted(found: Mapping[str, int] | None, words: str) -> Iterator[str]:
    """One short table, largest first."""
    if not found:
        return
    total = sum(int(count) for count in found.values())
    yield f"| {words} | |"
    yield "| --- | ---: |"
    for name, count in sorted(found.items(), key=lambda row: (-int(row[1]), row[0])):
        yield f"| {name} | {_share(int(count), total)} |"
    yield ""


def _bounded(count: int, seeds: int) -> str:
    """Zero in n independent runs bounds the rate by 3/n with 95 % confidence."""
    if count or not seeds:
        return str(count)
    return f"0 (95 % bound: fewer than {3 / seeds:.1g} for each run of the model)"


def _cells(parts: list[Mapping[str, Any]]) -> Iterator[str]:
    yield "### Fault cells\n"
    yield "A cell is a kind of fault, at a kind of request, in a phase of the run.\n"
    yield "| profile | cells hit | cells that can be reached |"
    yield "| --- | ---: | ---: |"
    for part in parts:
        hit, reachable = part.get("cells_hit"), part.get("cells_reachable")
        yield f"| {part.get('profile') or 'all'} | {_count(hit)} | {_count(reachable)} |"
    yield ""


def ablation_lines(ablations: Any) -> Iterator[str]:
    """Return the table of what happens without each protection."""
    yield "## Ablations\n"
    yield ABLATIONS
    if not ablations:
        yield "Not run yet.\n"
        return
    yield "| switched off | seeds | red | first red seed | remarks |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for row in ablations:
        names = row.get("names") or row.get("name") or row.get("name(s)")
        shown = " + ".join(names) if isinstance(names, list) else str(names)
        first = row.get("first_red_seed")
        remark = " ".join(str(row.get("explanation") or "").split()).replace("|", "/")
        yield (
            f"| {shown} | {_number(row.get('seeds_run'))} | {_number(row.get('red'))}"
            f" | {'-' if first is None else first} | {remark} |"
        )
    silent = sum(1 for row in ablations if not row.get("red"))
    yield ""
    yield f"{len(ablations)} ablations, {len(ablations) - silent} turned seeds red.\n"


def _share(count: int, total: int) -> str:
    return f"{_number(count)} ({count / total:.1%})" if total else _number(count)


def _count(value: Any) -> str:
    return _number(len(value) if isinstance(value, list | dict) else value)


def _seconds(value: Any) -> str:
    return "-" if value is None else f"{float(value):.1f} s"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float) and value != int(value):
        return f"{value:,.1f}".replace(",", " ")
    return f"{int(value):,}".replace(",", " ")
