"""How the configuration says that an engine's silence is observed."""

from pathlib import Path

import pytest

from resyncctl.core.errors import ConfigurationError
from resyncctl.settings import template
from resyncctl.settings.load import load
from resyncctl.settings.specs import Configuration, SilenceSource

HEAD = """\
[accounts.main]
venue = "binance"
credentials = { source = "file", path = "main.key" }

[engines.mm1]
accounts = ["main"]
state = { kind = "checkpoint", path = "checkpoint.json" }
"""


def loaded(folder: Path, engine_lines: str) -> Configuration:
    path = folder / "resyncctl.toml"
    path.write_text(HEAD + engine_lines, encoding="utf-8")
    return load(path, {"HOME": "/h"})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "none"),
        ('silence = { kind = "none" }', "none"),
        ('silence = { kind = "process", match = ["python3", "bot.py"] }', "process python3 bot.py"),
        ('silence = { kind = "process", pid_file = "/run/bot.pid" }', "process /run/bot.pid"),
        ('silence = { kind = "systemd", unit = "bot.service" }', "systemd bot.service"),
        (
            'gate_file = "gate.json"\nsilence = { kind = "acknowledgement" }',
            "acknowledgement",
        ),
    ],
)
def test_every_way_to_observe_silence_is_told(tmp_path: Path, line: str, told: str) -> None:
    assert loaded(tmp_path, line).engines["mm1"].silence.describe() == told


def test_the_numbers_and_places_arrive(tmp_path: Path) -> None:
    fresh = 'gate_file = "g.json"\nsilence = { kind = "acknowledgement", fresh = "20s" }'
    assert loaded(tmp_path, fresh).engines["mm1"].silence.fresh_ms == 20_000
    pid = loaded(tmp_path, 'silence = { kind = "process", pid_file = "bot.pid" }')
    assert pid.engines["mm1"].silence.pid_file == tmp_path / "bot.pid"
    unit = 'silence = { kind = "systemd", unit = "u", user = true, timeout = "1s" }'
    assert loaded(tmp_path, unit).engines["mm1"].silence == SilenceSource(
        kind="systemd", unit="u", user=True, timeout_ms=1_000
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('silence = { kind = "acknowledgement" }', "without a gate file"),
        ('silence = { kind = "process" }', "either by its pid_file or by a match"),
        (
            'silence = { kind = "process", pid_file = "a", match = ["b"] }',
            "either by its pid_file or by a match",
        ),
        ('silence = { kind = "process", match = [] }', "match"),
        ('silence = { kind = "systemd" }', "unit"),
        ('silence = { kind = "prayer" }', "silence"),
    ],
)
def test_a_silence_that_cannot_be_observed_is_an_error(
    tmp_path: Path, line: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        loaded(tmp_path, line)


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        (
            template.EngineAnswers(name="e", accounts=("a",), checkpoint="c", gate_file="g"),
            "acknowledgement",
        ),
        (template.EngineAnswers(name="e", accounts=("a",), command=("x",), gate_file="g"), "none"),
        (template.EngineAnswers(name="e", accounts=("a",), checkpoint="c"), "none"),
        (
            template.EngineAnswers(
                name="e",
                accounts=("a",),
                checkpoint="c",
                gate_file="g",
                control={"kind": "systemd", "unit": "bot.service"},
            ),
            "systemd",
        ),
    ],
)
def test_the_first_file_observes_what_can_be_observed(
    tmp_path: Path, engine: template.EngineAnswers, kind: str
) -> None:
    account = template.AccountAnswers(
        name="a", venue="okx", mode="live", credentials={"source": "file", "path": "k"}
    )
    path = tmp_path / "resyncctl.toml"
    path.write_text(template.render(template.Answers(accounts=(account,), engines=(engine,))))
    assert load(path, {"HOME": "/h"}).engines["e"].silence.kind == kind
