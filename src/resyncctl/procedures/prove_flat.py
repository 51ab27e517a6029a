"""Prove that holdings are gone: repeated validated readings over the staleness horizon.

This part of `flatten` holds no power: it only reads. Acknowledgements and fills do not count.
Called by `procedures.flatten`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from resyncctl.core.flatten_holdings import Choice, HoldingKey
from resyncctl.core.flatten_proof import FlatJudgement, Flatness, FlatRead, judge_flat
from resyncctl.core.money import ZERO
from resyncctl.core.proof import CONFIRM_AFTER_MS, pause_before_next_read
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import Clock, Progress, VenueView
from resyncctl.procedures.flatten_order import ATTENTION_MS, wait_until
from resyncctl.procedures.flatten_reading import read_held

HORIZONS_MAX = 3
TELL_EVERY_MS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRequest:
    """What is to be proved. Times are of the monotonic clock.

    `flat_below` gives per holding what the policy calls flat. `hopeless` are holdings that are
    known not to be flat, for which no time is spent.
    """

    products: tuple[str, ...]
    choice: Choice
    flat_below: Mapping[HoldingKey, Decimal]
    hopeless: frozenset[HoldingKey]
    not_before_ms: int
    horizon_ms: int
    required_reads: int
    stop_ms: int


@dataclass(frozen=True, slots=True)
class FlatProof:
    """What was proved about each holding, and about each product as a whole.

    `reads` began a whole horizon after the last order, `spanned_ms` is how long after it the last
    one began.
    """

    holdings: Mapping[HoldingKey, FlatJudgement]
    products: Mapping[str, FlatJudgement]
    reads: int
    spanned_ms: int


async def watch_flat(
    request: FlatRequest,
    *,
    venue: VenueView,
    clock: Clock,
    progress: Progress,
    interrupted: Interrupted,
) -> FlatProof:
    """Read until every holding is judged, time is up, or the operator interrupts."""
    await wait_until(request.not_before_ms, clock)
    began_ms = clock.monotonic_ms()
    once_ms = request.horizon_ms + max(2, request.required_reads) * CONFIRM_AFTER_MS
    patience_ms = min(request.stop_ms, began_ms + HORIZONS_MAX * once_ms)
    reads: list[FlatRead] = []
    while True:
        read = await read_held(request.products, request.choice, venue=venue, clock=clock)
        reads.append(read)
        proof = _judge(request, reads)

        def tell(count: int = proof.reads) -> None:
            left_ms = request.not_before_ms + request.horizon_ms - clock.monotonic_ms()
            progress.say(
                venue.account,
                "flat",
                "proving that the holdings are gone",
                reads=f"{count}/{max(2, request.required_reads)}",
                seconds_left=max(0, -(-left_ms // 1000)),
            )

        tell()
        pause_ms = pause_before_next_read(
            now_ms=clock.monotonic_ms(),
            not_before_ms=request.not_before_ms,
            horizon_ms=request.horizon_ms,
            required_reads=request.required_reads,
            again=bool(read.unreadable),
        )
        out_of_time = clock.monotonic_ms() + pause_ms > patience_ms
        if _is_decided(request, proof) or interrupted() or (out_of_time and len(reads) > 1):
            return proof
        if clock.monotonic_ms() >= request.stop_ms:
            return proof
        await _wait(pause_ms, clock, interrupted, tell)


def _judge(request: FlatRequest, reads: Iterable[FlatRead]) -> FlatProof:
    seen = tuple(reads)
    keys = {*request.flat_below, *(key for read in seen for key in read.held)}
    whole = {product: (product, "", "") for product in request.products}
    judged = {
        key: judge_flat(
            key,
            seen,
            not_before_ms=request.not_before_ms,
            horizon_ms=request.horizon_ms,
            required_reads=request.required_reads,
            flat_below=request.flat_below.get(key, ZERO),
        )
        for key in (*sorted(keys), *whole.values())
    }
    return FlatProof(
        holdings={key: judged[key] for key in sorted(keys)},
        products={product: judged[key] for product, key in whole.items()},
        reads=sum(read.began_ms >= request.not_before_ms + request.horizon_ms for read in seen),
        spanned_ms=seen[-1].began_ms - request.not_before_ms if seen else 0,
    )


def _is_decided(request: FlatRequest, proof: FlatProof) -> bool:
    """Whether more reading can change nothing that matters.

    A holding that should be gone and still shows may be an old picture, so it is waited for.
    """
    rows = [row for key, row in proof.holdings.items() if key not in request.hopeless]
    if not rows and request.hopeless:
        return True
    return all(row.state is Flatness.FLAT for row in (*rows, *proof.products.values()))


async def _wait(
    duration_ms: int, clock: Clock, interrupted: Interrupted, tell: Callable[[], None]
) -> None:
    """Sleep in short pieces, so that an interruption is heard, and tell that work goes on."""
    told_ms = clock.monotonic_ms()
    until_ms = told_ms + duration_ms
    while not interrupted() and (left_ms := until_ms - clock.monotonic_ms()) > 0:
        await clock.sleep_ms(min(left_ms, ATTENTION_MS))
        if clock.monotonic_ms() - told_ms >= TELL_EVERY_MS:
            told_ms = clock.monotonic_ms()
            tell()
