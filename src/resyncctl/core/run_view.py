"""What somebody who follows a run's journal knows about the run so far.

Pure: each record of the journal gives the next view. Promises: what a record does not say is not
invented; an unknown event changes nothing but the time of the last sign of life. Folded by
`cli.watch`, drawn by `screen.watch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from resyncctl.core.mutation import OutcomeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run on one account.

    `intents` are the requests that were written down before they were sent, with their deadlines;
    `answers` counts how they were answered. `exit_code` is None until the run has said its end.
    """

    run_id: str
    account: str
    command: str = ""
    who: str = ""
    reason: str = ""
    began_ms: int | None = None
    last_ms: int | None = None
    stage: str = ""
    text: str = ""
    numbers: Mapping[str, object] = field(default_factory=dict)
    intents: Mapping[str, int] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    answered: frozenset[str] = frozenset()
    taken_from: str = ""
    status: str = ""
    exit_code: int | None = None
    exit_name: str = ""

    @property
    def unanswered(self) -> int:
        """How many requests have no recorded answer."""
        return len(self.intents.keys() - self.answered)

    @property
    def last_deadline_ms(self) -> int | None:
        """When the last request can have no effect any more."""
        return max(self.intents.values(), default=None)


def advance(view: RunView, event: str, at_ms: int, details: Mapping[str, object]) -> RunView:
    """Given the next record of the run's journal, return what is known then.

    A run may work on several accounts; records of another one only show that the run lives.
    """
    seen = replace(view, began_ms=at_ms if view.began_ms is None else view.began_ms, last_ms=at_ms)
    match event:
        case "began":
            return replace(
                seen,
                command=_text(details, "command"),
                who=f"{_text(details, 'user')} on {_text(details, 'host')}, "
                f"process {_text(details, 'pid')}",
            )
        case "ended":
            code = details.get("exit_code")
            return replace(
                seen,
                exit_code=code if isinstance(code, int) else None,
                exit_name=_text(details, "status"),
            )
        case "intent":
            return _intent(seen, details)
        case "outcome":
            return _answer(seen, details)
    return _of_account(seen, event, details) if details.get("account") == view.account else seen


def _of_account(seen: RunView, event: str, details: Mapping[str, object]) -> RunView:
    if event == "progress":
        numbers = details.get("numbers")
        return replace(
            seen,
            stage=_text(details, "stage"),
            text=_text(details, "text"),
            numbers=numbers if isinstance(numbers, Mapping) else {},
        )
    if event == "taken_over":
        return replace(seen, taken_from=_text(details, "from_run"))
    if event.endswith("_started"):
        return replace(seen, reason=_text(details, "reason"))
    if event.endswith("_ended"):
        return replace(seen, status=_text(details, "status"))
    return seen


def _intent(seen: RunView, details: Mapping[str, object]) -> RunView:
    inner = details.get("details")
    if not isinstance(inner, Mapping) or inner.get("account") != seen.account:
        return seen
    deadline_ms = details.get("deadline_ms")
    known = deadline_ms if isinstance(deadline_ms, int) else 0
    return replace(seen, intents={**seen.intents, _text(details, "intent_id"): known})


def _answer(seen: RunView, details: Mapping[str, object]) -> RunView:
    intent_id = _text(details, "intent_id")
    if intent_id not in seen.intents:
        return seen
    kind = _text(details, "kind")
    if kind not in set(OutcomeKind):
        kind = OutcomeKind.UNKNOWN.value
    return replace(
        seen,
        answers={**seen.answers, kind: seen.answers.get(kind, 0) + 1},
        answered=seen.answered | {intent_id},
    )


def _text(details: Mapping[str, object], name: str) -> str:
    value = details.get(name)
    return "" if value is None else str(value)
