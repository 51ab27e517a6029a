"""Starting must be cheap: help loads no exchange library, and the core loads nothing at all."""

import json
import subprocess
import sys

import pytest

HEAVY = {"ccxt", "aiohttp", "pydantic_settings", "questionary", "jinja2", "sqlite3", "trustme"}


def loaded_after(code: str) -> set[str]:
    program = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


@pytest.mark.process
def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['resyncctl', '--help']\n"
        "from resyncctl.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code"
    )
    assert not loaded_after(code) & HEAVY


@pytest.mark.process
def test_the_core_is_pure_at_run_time_too() -> None:
    code = (
        "import pkgutil, importlib, resyncctl.core as core\n"
        "for m in pkgutil.walk_packages(core.__path__, 'resyncctl.core.'):"
        " importlib.import_module(m.name)"
    )
    assert not loaded_after(code) & (HEAVY | {"asyncio", "socket", "subprocess", "rich", "typer"})
