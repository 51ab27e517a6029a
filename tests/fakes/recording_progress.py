"""Progress that is remembered instead of drawn."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Said:
    """One step that a procedure told."""

    account: str
    stage: str
    text: str
    numbers: dict[str, object]


@dataclass(slots=True)
class RecordingProgress:
    """Implements `ports.views.Progress`."""

    steps: list[Said] = field(default_factory=list)

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        self.steps.append(Said(account, stage, text, numbers))

    @property
    def stages(self) -> list[str]:
        """The stages in the order in which they were told."""
        return [step.stage for step in self.steps]
