"""The symbol universe: deterministic, exact, of the real weight, and true to changed statuses."""

import gzip
import json
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

import pytest

from resyncctl.simulator.catalogue import Catalogue, Market, build_catalogue
from resyncctl.simulator.exchange_info import Compressor, ExchangeInfo, UnknownSymbol

NOW_MS = 1_790_000_000_000


def document(
    catalogue: Catalogue,
    market: Market = "spot",
    statuses: dict[str, str] | None = None,
    **question: str,
) -> dict[str, Any]:
    body = ExchangeInfo(catalogue).document(
        market, question, statuses=statuses or {}, now_ms=NOW_MS
    )
    parsed: dict[str, Any] = json.loads(body)
    return parsed


def names(answer: dict[str, Any]) -> list[str]:
    return [row["symbol"] for row in answer["symbols"]]


def test_the_small_universe_holds_a_dozen_well_known_symbols_in_each_market() -> None:
    catalogue = build_catalogue()
    assert len(catalogue.rows("spot")) == len(catalogue.rows("usdm")) == 12
    assert set(catalogue.rows("spot")) >= {"BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"}
    assert all(row.status == "TRADING" for row in catalogue.rows("spot").values())


def test_the_same_seed_gives_the_same_universe_and_another_seed_another_one() -> None:
    first = build_catalogue(300, seed=7)
    assert dict(build_catalogue(300, seed=7).rows("spot")) == dict(first.rows("spot"))
    assert dict(build_catalogue(300, seed=8).rows("spot")) != dict(first.rows("spot"))


def test_the_rounding_that_another_library_left_behind_changes_nothing() -> None:
    expected = dict(build_catalogue(100, seed=7).rows("spot"))
    with localcontext() as context:
        context.rounding = ROUND_UP
        assert dict(build_catalogue(100, seed=7).rows("spot")) == expected


def test_the_large_universe_has_the_size_and_the_weight_of_the_real_one() -> None:
    catalogue = build_catalogue(3000)
    spot = catalogue.rows("spot")
    assert (len(spot), len(catalogue.rows("usdm"))) == (3000, 875)
    assert list(spot)[:12] == list(build_catalogue().rows("spot"))
    info = ExchangeInfo(catalogue)
    heavy = info.document("spot", {}, statuses={}, now_ms=NOW_MS)
    light = info.document(
        "spot",
        {"showPermissionSets": "false", "symbolStatus": "TRADING"},
        statuses={},
        now_ms=NOW_MS,
    )
    usdm = info.document("usdm", {}, statuses={}, now_ms=NOW_MS)
    assert 16_000_000 < len(heavy) < 18_000_000
    assert len(light) < len(heavy) / 4
    assert 900_000 < len(usdm) < 1_200_000
    trading = sum(row.status == "TRADING" for row in spot.values())
    assert 0.38 < trading / len(spot) < 0.46
    packed = Compressor().gzip(heavy)
    assert len(packed) < 400_000
    assert gzip.decompress(packed) == heavy


def test_every_row_can_be_traded_at_its_anchor_price() -> None:
    catalogue = build_catalogue(600)
    rows = [*catalogue.rows("spot").values(), *catalogue.rows("usdm").values()]
    for row in rows:
        assert row.anchor_price % row.tick == 0, row
        assert row.min_quantity % row.step == 0, row
        assert row.anchor_price < row.max_price, row
        enough = row.min_notional / row.anchor_price
        assert enough < row.market_max_quantity, row


def test_the_filters_in_the_document_are_the_filters_in_the_row() -> None:
    catalogue = build_catalogue()
    for market in ("spot", "usdm"):
        answer = document(catalogue, market)
        for listed in answer["symbols"]:
            row = catalogue.find(market, listed["symbol"])
            assert row is not None
            filters = {entry["filterType"]: entry for entry in listed["filters"]}
            assert Decimal(filters["PRICE_FILTER"]["tickSize"]) == row.tick
            assert Decimal(filters["LOT_SIZE"]["stepSize"]) == row.step
            assert Decimal(filters["LOT_SIZE"]["maxQty"]) == row.max_quantity
            notional = (
                filters["NOTIONAL"]["minNotional"]
                if market == "spot"
                else filters["MIN_NOTIONAL"]["notional"]
            )
            assert Decimal(notional) == row.min_notional
    assert catalogue.find("usdm", "ETHBTC") is None


def test_a_changed_status_reaches_the_document_and_its_filter() -> None:
    catalogue = build_catalogue()
    info = ExchangeInfo(catalogue)

    def trading(statuses: dict[str, str]) -> list[str]:
        question = {"symbolStatus": "TRADING"}
        return names(json.loads(info.document("spot", question, statuses=statuses, now_ms=NOW_MS)))

    assert "BTCUSDT" in trading({})
    assert "BTCUSDT" not in trading({"BTCUSDT": "CANCEL_ONLY"})
    assert "BTCUSDT" in trading({})
    changed = document(catalogue, statuses={"BTCUSDT": "HALT"}, symbol="BTCUSDT")
    assert changed["symbols"][0]["status"] == "HALT"


def test_questions_about_single_symbols_permission_sets_and_strangers() -> None:
    catalogue = build_catalogue()
    assert names(document(catalogue, symbol="ETHBTC")) == ["ETHBTC"]
    assert names(document(catalogue, symbols='["SOLUSDT","BTCUSDT"]')) == ["SOLUSDT", "BTCUSDT"]
    assert document(catalogue)["symbols"][0]["permissionSets"][0][:2] == ["SPOT", "MARGIN"]
    bare = document(catalogue, showPermissionSets="false")
    assert bare["symbols"][0]["permissionSets"] == []
    for strangers in ('["BTCUSDT","NOPE"]', "NOPE"):
        with pytest.raises(UnknownSymbol, match="NOPE"):
            document(catalogue, symbols=strangers)
    with pytest.raises(UnknownSymbol, match="NOPE"):
        document(catalogue, symbol="NOPE")
    assert len(names(document(catalogue, "usdm", symbol="BTCUSDT"))) == 12


def test_the_same_question_is_rendered_once_and_compressed_once() -> None:
    info = ExchangeInfo(build_catalogue())
    first = info.document("spot", {}, statuses={}, now_ms=NOW_MS)
    assert info.document("spot", {}, statuses={}, now_ms=NOW_MS + 5000) is first
    compressor = Compressor()
    assert compressor.gzip(first, remember_from=10) is compressor.gzip(first, remember_from=10)
    assert gzip.decompress(compressor.gzip(b"{}")) == b"{}"
