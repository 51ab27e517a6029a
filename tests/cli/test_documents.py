"""Documents that are made from the program are current."""

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from resyncctl.cli.documents import documents
from resyncctl.core.exit_codes import MEANINGS, NO_MUTATION, ExitCode

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", documents())
def test_the_generated_file_is_current(name: str) -> None:
    assert (ROOT / name).read_text() == documents()[name], "run: python -m resyncctl.cli.documents"


def test_every_exit_code_has_a_meaning_and_a_line() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    assert set(MEANINGS) == set(ExitCode)
    for code in ExitCode:
        assert f"| {int(code)} | {code.name} |" in page
    assert page.count("nothing was changed |") == len(NO_MUTATION)


def test_every_shipped_schema_is_a_schema() -> None:
    files = sorted((ROOT / "src" / "resyncctl" / "schemas").glob("*.json"))
    assert len(files) > 15
    for path in files:
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_the_bash_completion_completes_commands_verbs_and_accounts(tmp_path: Path) -> None:
    config = tmp_path / "resyncctl.toml"
    config.write_text('[accounts.main]\nvenue = "x"\n[accounts."odd one"]\n[engines.e]\n')
    script = (ROOT / "completions" / "resyncctl.bash").read_text()

    def complete(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        program = (
            f"{script}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n_resyncctl\n"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"RESYNCCTL_CONFIG": str(config), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        return done.stdout.split()

    assert "cancel-all" in complete("resyncctl", "can")
    assert complete("resyncctl", "gate", "") == ["close", "open", "show"]
    assert "main" in complete("resyncctl", "cancel-all", "m")
    assert "main" in complete("resyncctl", "gate", "close", "")
    assert "--include-protective" in complete("resyncctl", "cancel-all", "--inc")
    assert "main" not in complete("resyncctl", "config", "show", "m")
