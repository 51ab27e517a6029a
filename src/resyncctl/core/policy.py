"""The numbers that decide: tolerances, windows, timeouts and horizons, all with their units."""

from dataclasses import dataclass
from decimal import Decimal

from resyncctl.core.model import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What counts as equal, as old, as gone.

    Ratios are plain (0.0001 is 0.01 %), times are milliseconds unless the name says seconds.
    `balance_floor` and `balance_cap` bound the relative tolerance in units of the asset;
    `dust` gives per asset the amount below which a rest is not worth an alarm.
    `required_scopes` is the scope manifest: a scope that was not read is reported, never forgotten.
    `require_engine_silence` makes an account SAFE only when the engine is known not to send.
    `watch_window_ms` is how long a resumed account is watched, `rto_ms` the time in which it must
    be SAFE, `countdown_ms` what a dead-man switch is armed with, `latency_critical_ms` the round
    trip from which on no resync may go without cancelling. The flatten numbers are caps: a ratio of
    the price, and amounts of the quote asset; None means no cap beyond the plan itself.
    `external_order_claims` are symbols whose unlisted orders are expected, `claimed_prefixes` the
    client id prefixes of such orders.
    """

    balance_tolerance_ratio: Decimal = Decimal("0.0001")
    balance_floor: Decimal = Decimal("0.00000001")
    balance_cap: Decimal = Decimal(100)
    entry_price_tolerance_ratio: Decimal = Decimal("0.0001")
    quantity_tolerance: Decimal = Decimal(0)
    dust: tuple[tuple[str, Decimal], ...] = ()
    lookback_ms: int = 24 * 3600 * 1000
    stale_order_ms: int = 24 * 3600 * 1000
    in_flight_ms: int = 5_000
    checkpoint_age_ms: int = 120_000
    guard_window_ms: int = 2_000
    settle_delay_ms: int = 3_000
    double_collect_attempts: int = 3
    clock_skew_warn_ms: int = 500
    unknown_order_storm: int = 10
    unknown_order_storm_window_ms: int = 60_000
    staleness_horizon_ms: int | None = None
    proof_reads: int = 3
    request_validity_ms: int = 5_000
    verdict_validity_ms: int = 120_000
    require_engine_silence: bool = True
    watch_window_ms: int = 300_000
    rto_ms: int = 300_000
    countdown_ms: int = 120_000
    latency_critical_ms: int = 1_000
    flatten_slippage_max: Decimal = Decimal("0.01")
    flatten_notional_max: Decimal | None = None
    flatten_slice_notional_max: Decimal | None = None
    flatten_plan_validity_ms: int = 120_000
    client_id_prefixes: tuple[str, ...] = ()
    ignored_assets: tuple[str, ...] = ()
    required_scopes: tuple[Scope, ...] = ()
    external_order_claims: tuple[str, ...] = ()
    claimed_prefixes: tuple[str, ...] = ()

    def tolerance_for(self, asset: str, magnitude: Decimal) -> Decimal:
        """Return the absolute difference that is within tolerance for an amount of `asset`.

        Relative to `magnitude`, never below the floor (or the asset's dust), never above the cap.
        """
        dust = dict(self.dust).get(asset, self.balance_floor)
        floor = max(self.balance_floor, dust)
        relative = min(abs(magnitude) * self.balance_tolerance_ratio, self.balance_cap)
        return max(floor, relative)
