"""No secret survives in a text, by name or by value."""

import logging

import pytest

from resyncctl.adapters.venues.via_ccxt.connect import Secrets
from resyncctl.adapters.venues.via_ccxt.redaction import (
    HIDDEN,
    install_log_filter,
    redact,
    remember_secrets,
)

CANARY = "canary-5d41402abc4b2a76"
TEXTS = [
    f"GET https://api.binance.com/api/v3/account?timestamp=1&signature={CANARY}",
    f"binance DELETE https://fapi.binance.com/fapi/v1/order?symbol=A&signature={CANARY}&x=1",
    f"{{'X-MBX-APIKEY': '{CANARY}', 'User-Agent': 'x'}}",
    f'{{"apiKey": "{CANARY}", "msg": "bad"}}',
    f"headers OK-ACCESS-PASSPHRASE: {CANARY}",
    f"API-Sign={CANARY}",
    f"POST body nonce={CANARY}&ordertype=limit",
    f"{{'X-BAPI-SIGN': '{CANARY}'}}",
    f"Authorization: {CANARY}",
    f"secret={CANARY}",
    f"{{'Authorization': 'Bearer {CANARY}'}}",
    f"Authorization: Bearer {CANARY}, Accept: x",
]


@pytest.mark.parametrize("text", TEXTS)
def test_secrets_go_by_name(text: str) -> None:
    assert CANARY not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.invariant("I39")
def test_secrets_go_by_value_wherever_they_stand() -> None:
    remember_secrets(["by-value-canary-1", None, "", "short"])
    assert redact("x by-value-canary-1 y") == f"x {HIDDEN} y"
    assert redact("short") == "short"


def test_what_is_harmless_stays() -> None:
    text = "binance -2011 Unknown order sent. symbol=BTCUSDT orderId=12"
    assert redact(text) == text


@pytest.mark.parametrize("name", ["ccxt.base.exchange", "aiohttp.client", "asyncio"])
def test_logged_arguments_and_errors_are_cleaned(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    install_log_filter()
    install_log_filter()
    caplog.set_level(logging.DEBUG, logger=name)
    logger = logging.getLogger(name)
    logger.debug("%s Request: %s", "GET", f"https://x/?signature={CANARY}")
    try:
        raise ValueError(f"signature={CANARY}")
    except ValueError:
        logger.exception("signature=%s", CANARY)
    assert len(caplog.records) == 2
    assert CANARY not in caplog.text
    assert all(record.args == () and record.exc_info is None for record in caplog.records)


def test_keys_never_show_themselves() -> None:
    secrets = Secrets(api_key=CANARY, secret=CANARY, password=CANARY, private_key=CANARY)
    assert CANARY not in f"{secrets} {secrets!r} {[secrets]}"
