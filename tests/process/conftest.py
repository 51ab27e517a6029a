"""A warmed interpreter for each worker; a home with an exchange of its own for each scenario."""

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.process.harness import Home, Zygote, new_home, warmed
from tests.process.sweeps import Homes


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with warmed() as started:
        yield started


@pytest.fixture
def homes(tmp_path: Path, zygote: Zygote) -> Homes:
    numbers = itertools.count()

    def home() -> AbstractContextManager[Home]:
        return new_home(tmp_path / str(next(numbers)), zygote)

    return home


@pytest.fixture
def home(homes: Homes) -> Iterator[Home]:
    with homes() as opened:
        yield opened
