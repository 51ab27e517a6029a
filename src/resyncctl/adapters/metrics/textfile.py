"""The figures of cron runs as a file for the textfile collector of Prometheus.

Promises: the file is replaced as a whole (written beside itself, then renamed), so that a scrape
never sees half of it; accounts that are not part of this run keep their lines, so that several cron
jobs can share one file; what a failed run cannot know (the last success) is kept from before; no
series is labelled by an order id. A file that cannot be written is a warning and never changes the
result of a run. Called by wiring at the end of every run, also of a failed one.

The collector reads only names that end in `.prom`:
https://github.com/prometheus/node_exporter#textfile-collector
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from resyncctl.core.errors import ConfigurationError
from resyncctl.ports.store import RunMetrics

SUFFIX = ".prom"
GATE_STATES = ("RUNNING", "UNSAFE", "SAFE")
VERDICTS = ("clean", "discrepant", "unknown")
_LOCK_WAIT_S = 2.0
_PREFIX = "resyncctl_"

DOCUMENTATION: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "last_run_timestamp_seconds": ("When the last run ended.", ()),
    "last_success_timestamp_seconds": ("When the last run with an answer ended.", ()),
    "run_duration_seconds": ("How long the last run took.", ()),
    "exit_code": ("The exit code of the last run, as `resyncctl help exit-codes` lists it.", ()),
    "verdict": ("1 for the verdict of the last run, 0 for the others.", ("verdict",)),
    "discrepancies": ("Findings of the last run.", ("kind", "severity")),
    "balance_mismatches": ("Balances that differ beyond tolerance and explanation.", ()),
    "order_mismatches": ("Orders that differ.", ()),
    "stale_orders": ("Open orders past the stale-order timeout.", ()),
    "stale_orders_cancelled": ("Stale orders that the last run cancelled.", ()),
    "sections_unknown": ("Sections that the last run could not read.", ()),
    "weight_used": ("Request weight that the exchange last reported.", ()),
    "consecutive_failures": ("Runs in a row that reached no answer.", ()),
    "gate_state": ("1 for the state of the gate, 0 for the others.", ("state",)),
    "gate_since_timestamp_seconds": ("Since when the gate has its state.", ()),
}
"""Every series without its prefix: what it says, and its labels besides `account`."""

Series = tuple[str, tuple[tuple[str, str], ...]]
Lines = dict[Series, float]


def write_textfile(path: Path, runs: Iterable[RunMetrics]) -> str | None:
    """Bring the file up to date with the figures of this run; return a warning, or None.

    Raises:
        ConfigurationError: The file's name does not end in `.prom`.
    """
    if path.suffix != SUFFIX:
        raise ConfigurationError(
            f"the metrics file must end in {SUFFIX}, or the collector will not read it",
            place=str(path),
            hint=f"call it {path.with_suffix(SUFFIX).name}",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            before = read_lines(path)
            lines = _merge(before, tuple(runs))
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Lines(lines))
            write_to_textfile(str(path), registry)
    except OSError as trouble:
        return f"the metrics file {path} cannot be written: {trouble.strerror or trouble}"
    return None


def read_lines(path: Path) -> Lines:
    """Return the series of an existing file; one that cannot be read has none."""
    try:
        text = path.read_text("utf-8")
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.removeprefix(_PREFIX) in DOCUMENTATION
        }
    except (OSError, ValueError):
        return {}


def _merge(before: Lines, runs: tuple[RunMetrics, ...]) -> Lines:
    """Replace the lines of this run's accounts and keep those of the others."""
    accounts = {run.account for run in runs}
    lines = {
        series: value
        for series, value in before.items()
        if dict(series[1]).get("account") not in accounts
    }
    for run in runs:
        lines.update(_lines(_count_on(run, before)))
        success = _value(before, "last_success_timestamp_seconds", run.account)
        if not run.completed and success is not None:
            lines[_series("last_success_timestamp_seconds", run.account)] = success
    return lines


def _count_on(run: RunMetrics, before: Lines) -> RunMetrics:
    """Count failures on from this file where the store knows less, because it was lost."""
    known = _value(before, "consecutive_failures", run.account) or 0
    if run.completed or known < run.consecutive_failures:
        return run
    return replace(run, consecutive_failures=int(known) + 1)


def _lines(run: RunMetrics) -> Lines:
    plain: dict[str, float | None] = {
        "last_run_timestamp_seconds": run.at_ms / 1000,
        "last_success_timestamp_seconds": run.at_ms / 1000 if run.completed else None,
        "run_duration_seconds": run.duration_ms / 1000,
        "exit_code": run.exit_code,
        "balance_mismatches": run.balance_mismatches,
        "order_mismatches": run.order_mismatches,
        "stale_orders": run.stale_orders,
        "stale_orders_cancelled": run.stale_orders_cancelled,
        "sections_unknown": run.sections_unknown,
        "weight_used": run.weight_used,
        "consecutive_failures": run.consecutive_failures,
        "gate_since_timestamp_seconds": run.gate_since_ms and run.gate_since_ms / 1000,
    }
    lines = {
        _series(name, run.account): value for name, value in plain.items() if value is not None
    }
    for verdict in VERDICTS if run.verdict else ():
        lines[_series("verdict", run.account, verdict=verdict)] = float(run.verdict == verdict)
    for state in GATE_STATES if run.gate_state else ():
        lines[_series("gate_state", run.account, state=state)] = float(run.gate_state == state)
    for (kind, severity), count in run.discrepancies.items():
        lines[_series("discrepancies", run.account, kind=kind, severity=severity)] = count
    return lines


def _series(name: str, account: str, **labels: str) -> Series:
    return _PREFIX + name, tuple(sorted({"account": account, **labels}.items()))


def _value(lines: Lines, name: str, account: str) -> float | None:
    return lines.get(_series(name, account))


class _Lines:
    """The lines as a collector of prometheus-client, which knows how to write them."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def collect(self) -> Iterator[Metric]:
        """Return every family with its samples in a fixed order."""
        for name, (words, extra) in DOCUMENTATION.items():
            labels = ("account", *extra)
            family = GaugeMetricFamily(_PREFIX + name, words, labels=labels)
            for (series, pairs), value in sorted(self._lines.items()):
                found = dict(pairs)
                if series == _PREFIX + name and found.keys() == set(labels):
                    family.add_metric([found[label] for label in labels], value)
            if family.samples:
                yield family


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one run at a time read and replace the file; a stuck one is not waited for long."""
    lock = path.with_name(f".{path.name}.lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    deadline = time.monotonic() + _LOCK_WAIT_S
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise OSError("another run is writing it") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)
