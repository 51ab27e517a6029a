"""Cancelling must not depend on this host's memory: store deleted, locked, corrupt, disk full."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.served_world import ACCOUNT, DemoWorld, rest_orders, served

WORDS = ("cancel-all", ACCOUNT, "--yes", "--reason", "emergency")
pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]


async def prove_it_cancels(world: DemoWorld) -> str:
    rest_orders(world, 6)
    ran = await world.command(*WORDS)
    assert ran.code == 0, ran.out + ran.err
    assert not world.orders()
    assert "Traceback" not in ran.out + ran.err
    return ran.out + ran.err


def state_of(world: DemoWorld) -> Path:
    return world.folder / "state"


@pytest.mark.invariant("I46")
async def test_with_the_store_deleted(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        await world.command("gate", "close", ACCOUNT)
        for path in state_of(world).glob("store.sqlite3*"):
            path.unlink()
        await prove_it_cancels(world)


async def test_with_the_store_locked_by_somebody_who_sleeps(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        await world.command("gate", "close", ACCOUNT)
        connection = sqlite3.connect(state_of(world) / "store.sqlite3", isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            await prove_it_cancels(world)
        finally:
            connection.execute("ROLLBACK")
            connection.close()


@pytest.mark.invariant("I46")
async def test_with_the_store_corrupt(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        await world.command("gate", "close", ACCOUNT)
        (state_of(world) / "store.sqlite3").write_bytes(b"not a database" * 1000)
        await prove_it_cancels(world)


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Mount a small file system on the folder and fill it. Skip where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mount.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        with contextlib.suppress(OSError), (folder / "ballast").open("wb") as ballast:
            while True:
                ballast.write(b"x" * 4096)
                ballast.flush()
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.mark.invariant("I46")
async def test_with_the_disk_full(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        with full_disk(state_of(world)):
            said = await prove_it_cancels(world)
            assert "journal" in said.lower()
            looked = await world.command("reconcile", ACCOUNT)
            assert looked.code == 74, looked.out + looked.err
            opened = await world.command("gate", "open", ACCOUNT, "--confirm", ACCOUNT)
            assert opened.code in {20, 74}, opened.out + opened.err


async def test_with_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        state = state_of(world)
        with contextlib.suppress(FileNotFoundError):
            os.rename(state, state.with_name("moved"))
        state.write_text("a file stands where the folder should be")
        await prove_it_cancels(world)
