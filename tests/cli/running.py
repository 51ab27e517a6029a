"""Run the command line inside the test, or as a real process."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from resyncctl.cli.app import main
from resyncctl.screen import schemas

ROOT = Path(__file__).parents[2]
CONFIG = """\
state_dir = "state"

[accounts.main]
venue = "binance"
mode = "practice"
credentials = { source = "file", path = "main.key" }
scopes = ["spot", "linear"]
client_id_prefixes = ["mm1-"]
practice = { address = "127.0.0.1:1", ca_file = "ca.pem" }

[engines.mm1]
accounts = ["main"]
state = { kind = "checkpoint", path = "checkpoint.json" }
gate_file = "gate.json"
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """The JSON document on standard output, checked against its schema."""
        found: dict[str, Any] = json.loads(self.out)
        command = found["schema"].split("/")[1]
        jsonschema.validate(found, json.loads(schemas.rendered()[f"{command}.v1.json"]))
        return found


def stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def text_of(written: io.TextIOWrapper) -> str:
    buffer = written.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def inside(*argv: str) -> Ran:
    """Run the command line in this process."""
    out, err = stream(), stream()
    code = main(list(argv), stdout=out, stderr=err)
    return Ran(code, text_of(out), text_of(err))


def process(
    *argv: str, environ: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
) -> Ran:
    """Run the command line as a process, without a terminal."""
    home = os.environ.get("HOME", "/nonexistent")
    done = subprocess.run(
        [sys.executable, "-m", "resyncctl", *argv],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=timeout,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": home,
            "PYTHONPATH": str(ROOT / "src"),
            "LC_ALL": "C.UTF-8",
            **(environ or {}),
        },
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def configured(tmp_path: Path, text: str = CONFIG) -> str:
    """Write a configuration and return its path."""
    path = tmp_path / "resyncctl.toml"
    path.write_text(text)
    return str(path)
