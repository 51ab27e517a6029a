"""The answer of a comparison in one word, and whether trading may resume on it.

The lattice: `unknown` if anything could not be known, else `discrepant` if anything differs, else
`clean`. More trouble can only move the answer away from `clean`: every function here is monotone
in its findings. Called by `core.compare` and by whoever merges comparisons of several accounts.
"""

from collections.abc import Iterable

from resyncctl.core.discrepancy import EVIDENCE_KINDS, Discrepancy, Kind, Severity, Verdict

UNKNOWN_KINDS = EVIDENCE_KINDS | {Kind.UNMAPPED_INSTRUMENT}
"""Rows of an instrument that nobody could map were not compared, so the whole is not known."""


def judge(findings: Iterable[Discrepancy]) -> Verdict:
    """Given every finding, return the verdict.

    A finding of severity `info` (a claimed order, a difference that the ledger explains, an object
    that is still settling) is worth telling and does not spoil `clean`.
    """
    verdict = Verdict.CLEAN
    for finding in findings:
        if finding.kind in UNKNOWN_KINDS:
            return Verdict.UNKNOWN
        if finding.severity is not Severity.INFO:
            verdict = Verdict.DISCREPANT
    return verdict


def blocks_resume(findings: Iterable[Discrepancy]) -> bool:
    """Whether a difference between the two sides forbids trading.

    This is about what was seen. What could not be seen forbids a resume through the verdict: only
    `clean` opens a gate, and a command tells the two apart by its exit code.
    """
    return any(finding.blocks_resume and finding.kind not in UNKNOWN_KINDS for finding in findings)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of the whole: unknown, else discrepant, else clean; none is unknown."""
    seen = set(verdicts)
    if Verdict.UNKNOWN in seen or not seen:
        return Verdict.UNKNOWN
    return Verdict.DISCREPANT if Verdict.DISCREPANT in seen else Verdict.CLEAN
