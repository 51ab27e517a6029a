import subprocess
import sys

import pytest

from resyncctl.adapters.venues.via_ccxt.loader import check_venue, known_venues, venue_class
from resyncctl.core.errors import ConfigurationError

COUNT = """
import sys
from resyncctl.adapters.venues.via_ccxt.loader import venue_class
kind = venue_class("binanceusdm")
import ccxt, ccxt.async_support as a
names = [m for m in sys.modules if m.startswith("ccxt.async_support.") and m.count(".") == 2]
loaded = sum(m.rsplit(".", 1)[1] in ccxt.exchanges for m in names)
sync = sum(m in {f"ccxt.{x}" for x in ccxt.exchanges} for m in sys.modules)
assert a.binance.__name__ == "binance" and issubclass(kind, a.binance)
assert a.kraken.__name__ == "kraken" and ccxt.kraken.__name__ == "kraken"
assert issubclass(a.OrderNotFound, ccxt.ExchangeError) and len(ccxt.exchanges) > 50
from ccxt.pro.binance import binance as pro
assert issubclass(pro, a.binance)
print(loaded, sync)
"""


def run(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": "src", "PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.process
def test_only_the_classes_that_are_needed_are_imported() -> None:
    assert run(COUNT) == "2 0"


@pytest.mark.process
def test_the_switch_brings_back_the_plain_import() -> None:
    loaded, sync = run(COUNT, RESYNCCTL_PLAIN_CCXT="1").split()
    assert int(loaded) > 50
    assert int(sync) > 50


@pytest.mark.process
def test_an_unexpected_shape_of_ccxt_falls_back_to_the_plain_import() -> None:
    odd = (
        "import resyncctl.adapters.venues.via_ccxt.loader as loader\n"
        "loader._imports_one_exchange = lambda *a: False\n"
    )
    loaded, _sync = run(odd + COUNT).split()
    assert int(loaded) > 50


@pytest.mark.process
def test_listing_the_venues_imports_nothing_of_ccxt() -> None:
    code = (
        "import sys\nfrom resyncctl.adapters.venues.via_ccxt.loader import known_venues\n"
        "print(len(known_venues()) > 90, 'ccxt' in sys.modules)"
    )
    assert run(code) == "True False"


def test_an_unknown_venue_is_named_with_its_neighbours() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_venue("binanceusd")
    assert "binanceusdm" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["bitmex", "gateio"])
def test_a_venue_that_left_is_said_politely(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not available"):
        check_venue(name)


@pytest.mark.parametrize("name", ["base", "exchanges", "os", "__class__", "../ccxt", "Exchange"])
def test_no_text_reaches_an_import_unchecked(name: str) -> None:
    with pytest.raises(ConfigurationError):
        venue_class(name)


def test_every_known_venue_is_lower_case_words() -> None:
    assert all(name.isidentifier() and name == name.lower() for name in known_venues())
