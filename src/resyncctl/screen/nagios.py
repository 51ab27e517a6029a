"""The answer as a Nagios plug-in gives it: one line, performance data, long text below.

Promises: the state word and the exit code come from the same place (`core.exit_codes.nagios_code`),
a number that is not known is left out of the performance data instead of being zero. Called by
`screen.render`.
"""

from collections import Counter

from resyncctl.core.exit_codes import MEANINGS, nagios_code
from resyncctl.core.outcome import AccountOutcome, Outcome
from resyncctl.screen.text import ascii_text, plural, safe_text

_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def report(outcome: Outcome) -> str:
    """Return the plug-in's output."""
    word = _WORDS[nagios_code(outcome.exit_code)]
    parts = [summary(account) for account in outcome.accounts]
    if outcome.error is not None:
        parts.insert(0, outcome.error.message)
    if not parts:
        parts = [MEANINGS[outcome.exit_code]]
    first = f"RESYNC {word} - {' * '.join(_clean(part) for part in parts)}"
    performance = " ".join(_performance(outcome))
    lines = [f"{first}|{performance}" if performance else first]
    lines += [
        _clean(f"{account.account}: {one.severity.value} {one.kind.value} {one.id} {one.remedy}")
        for account in outcome.accounts
        for one in account.findings
    ]
    return ascii_text("\n".join(lines)) + "\n"


def summary(account: AccountOutcome) -> str:
    """Return one account in a few words, e.g. `main: 2 ORPHAN_ORDER, 1 MISSING_FILL`."""
    if account.error is not None:
        return f"{account.account}: {account.error.message}"
    kinds = Counter(finding.kind.value for finding in account.findings)
    if not kinds:
        left = sum(action.state in {"left", "unproven"} for action in account.actions)
        rest = f", {plural(left, 'order group')} not gone" if left else ""
        return f"{account.account}: {account.status.replace('_', ' ')}{rest}"
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{account.account}: {account.status}: {words}"


def _performance(outcome: Outcome) -> list[str]:
    numbers = [f"time={(outcome.finished_at_ms - outcome.started_at_ms) / 1000:.3f}s"]
    for account in outcome.accounts:
        if account.error is None and account.verdict is not None:
            blocking = sum(finding.blocks_resume for finding in account.findings)
            numbers.append(f"'{account.account} findings'={len(account.findings)};0;0")
            numbers.append(f"'{account.account} blocking'={blocking};;0")
        for name, count in account.counts.items():
            told = account.verdict is not None and name in {"findings", "blocking"}
            if isinstance(count, int) and not isinstance(count, bool) and not told:
                numbers.append(f"'{account.account} {name}'={count}")
    return [_clean(number) for number in numbers]


def _clean(text: str) -> str:
    return safe_text(text).replace("|", "/")
