"""Run many seeds on all cores, in blocks that can be taken up again, and add them up.

`python -m tests.storm.campaign --seeds 0..2000 --workers 2 --out FILE [--resume] [--profile storm]`
appends one line per block to FILE and ends with code 1 when a seed is red.
`python -m tests.storm.campaign --sum FILE --to CAMPAIGN.json` writes the figures.
"""

import argparse
import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.storm.scenario import PROFILES, draw
from tests.storm.story import run_seed, warm_up
from tests.storm.summary import Block, campaign_figures, merged

BLOCK = 100


def run_block(job: tuple[str, int, int]) -> dict[str, Any]:
    """Run the seeds of one block and return its line."""
    profile, first, after = job
    block = Block()
    # A block lives for seconds and is collected as a whole; looking for cycles within it costs a
    # tenth of its time.
    gc.disable()
    for seed in range(first, after):
        block.add(run_seed(draw(seed, PROFILES[profile])))
    gc.enable()
    gc.collect()
    return {"profile": profile, "first": first, "after": after, **block.to_json()}


def blocks_of(first: int, after: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range of seeds into blocks."""
    for start in range(first, after, size):
        yield start, min(after, start + size)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the blocks that are in a file; a torn last line is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def run(
    profile: str, first: int, after: int, *, workers: int, out: Path | None, resume: bool
) -> Block:
    """Run what is not done yet; say how it goes; return the sum of everything."""
    done = lines_of(out) if out is not None and resume else []
    if out is not None and not resume:
        out.unlink(missing_ok=True)
    known = {(one["profile"], one["first"], one["after"]) for one in done}
    size = min(BLOCK, max(1, -(-(after - first) // (4 * workers))))
    jobs = [
        (profile, start, end)
        for start, end in blocks_of(first, after, size)
        if (profile, start, end) not in known
    ]
    began = time.monotonic()
    block = merged(done)
    warm_up()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for line in pool.imap_unordered(run_block, jobs):
            block.merge(line)
            if out is not None:
                with out.open("a") as file:
                    file.write(json.dumps(line, sort_keys=True) + "\n")
            _tell(block, line, time.monotonic() - began)
    return block


def _tell(block: Block, line: dict[str, Any], wall_s: float) -> None:
    print(  # noqa: T201  # a command line of its own
        f"{block.seeds} seeds, {len(block.red)} red, {wall_s:.0f} s"
        f" (seeds {line['first']} to {line['after'] - 1})",
        file=sys.stderr,
        flush=True,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run or add up, as asked."""
    parser = argparse.ArgumentParser(prog="tests.storm.campaign", description=__doc__)
    parser.add_argument("--seeds", default="0..2000", help="FIRST..AFTER")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="storm")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="the blocks, one line each")
    parser.add_argument("--resume", action="store_true", help="go on with what --out has")
    parser.add_argument("--sum", type=Path, help="add up the blocks of this file and run nothing")
    parser.add_argument("--to", type=Path, help="where the figures go, else they are printed")
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    if asked.sum is not None:
        block = merged(lines_of(asked.sum))
    else:
        first, after = (int(text) for text in asked.seeds.split(".."))
        block = run(
            asked.profile,
            first,
            after,
            workers=asked.workers,
            out=asked.out,
            resume=asked.resume,
        )
    figures = campaign_figures(block, asked.profile)
    if asked.sum is None:
        figures["elapsed_s"] = round(time.monotonic() - began, 1)
    text = json.dumps(figures, indent=2) + "\n"
    if asked.to is not None:
        asked.to.parent.mkdir(parents=True, exist_ok=True)
        asked.to.write_text(text)
    else:
        sys.stdout.write(text)
    for red in block.red[:20]:
        sys.stderr.write(json.dumps(red, sort_keys=True) + "\n")
    return 1 if block.red else 0


if __name__ == "__main__":
    sys.exit(main())
