"""A warmed interpreter for each worker, a few homes for each exchange."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.harness import Home, Street, Zygote, warmed


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with warmed() as started:
        yield started


@pytest.fixture
def homes(tmp_path: Path, zygote: Zygote) -> Iterator[Callable[[], Home]]:
    with contextlib.ExitStack() as stack:
        yield Street(tmp_path, zygote, stack).home


@pytest.fixture
def home(homes: Callable[[], Home]) -> Home:
    return homes()
