"""No secret leaves the key file: not in output, logs, journals, crashes, caches or arguments."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.journeys.served_world import ACCOUNT, DemoWorld, rest_orders, served

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
COMMANDS = (
    ("doctor",),
    ("status",),
    ("config", "show", "--origin"),
    ("config", "check"),
    ("venue", "show", ACCOUNT),
    ("venue", "show", ACCOUNT, "--json"),
    ("engine", "show", ACCOUNT),
    ("reconcile", ACCOUNT, "-vv"),
    ("reconcile", ACCOUNT, "--json"),
    ("cancel-all", ACCOUNT, "--yes", "-vv", "--log-format", "json"),
    ("gate", "open", ACCOUNT, "--confirm", ACCOUNT),
    ("audit", "verify", "--json"),
)
UNDER_FAULTS = (("reconcile", ACCOUNT, "-vv"), ("cancel-all", ACCOUNT, "--dry-run", "-vv"))
FAULTS = ("body_html", "answer_lost", "key_refused", "signature_refused", "server_error_500")


def secrets_of(world: DemoWorld) -> list[str]:
    account = world.ready["accounts"][0]
    return [Path(account[name]).read_text().strip() for name in ("api_key_file", "api_secret_file")]


def key_files(world: DemoWorld) -> set[Path]:
    account = world.ready["accounts"][0]
    named = {Path(account["api_key_file"]), Path(account["api_secret_file"])}
    return named | {world.folder / f"{ACCOUNT}.key"}


def leaks(world: DemoWorld, printed: str) -> list[str]:
    secrets = secrets_of(world)
    found = [f"printed: {s[:4]}..." for s in secrets if s in printed]
    for path in world.folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in key_files(world):
            content = path.read_bytes()
            found += [str(path) for secret in secrets if secret.encode() in content]
    found += ["a signature was printed"] * ("signature=" in printed)
    return found


def what_others_see(pid: int) -> bytes:
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


@pytest.mark.invariant("I39")
async def test_canary_secrets_appear_nowhere(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        printed = ""
        for fault in ("", *FAULTS):
            if fault:
                world.control.call("inject", kind=fault, where="*", account=ACCOUNT, times=3)
            rest_orders(world, 2)
            for words in UNDER_FAULTS if fault else COMMANDS:
                ran = await world.command(*words)
                printed += ran.out + ran.err
            world.control.call("clear_faults")
        assert leaks(world, printed) == []
        assert secrets_of(world)[0] not in printed
        (world.folder / "leak-check").write_text(secrets_of(world)[1])
        assert leaks(world, printed), "the search itself must be able to find a leak"


@pytest.mark.invariant("I39")
async def test_the_arguments_and_environment_of_a_run_hold_no_secret(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 2)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "resyncctl", "--config", str(world.config)),
            *("cancel-all", ACCOUNT, "--yes"),
            env={**os.environ, "XDG_STATE_HOME": str(world.folder / "state")},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await world.until(
            lambda: bool(world.control.ask_log("select", kind="cancel")), "it cancels"
        )
        seen = what_others_see(process.pid)
        await process.wait()
        assert seen
        assert not [secret for secret in secrets_of(world) if secret.encode() in seen]
