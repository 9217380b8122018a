"""Makes a whole shop on disk: live its days, write its feeds with their dirt, and keep the truth beside them."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthetic.base import Options, ShopError
from synthetic.demand import chunks
from synthetic.feeds import FUNCTIONS
from synthetic.layout import FEEDS
from synthetic.truth import MADE_BY, Truth, write_world
from synthetic.world import make_world
from synthetic.writer import FeedWriter


@dataclass(frozen=True)
class Shop:
    """A shop on disk: `dirt` is what `truth/dirt.json` holds, `seconds` the wall time of the making."""

    output: Path
    dirt: dict[str, Any]
    seconds: float


def make_shop(options: Options) -> Shop:
    """Make the shop; an older shop in the same folder is replaced, anything else there is refused."""
    begun = time.perf_counter()
    _clear(options.output)
    write_world(options)
    world = make_world(options)
    truth, writers = Truth(world), {feed: FeedWriter(options, feed) for feed in options.feeds}
    for chunk in chunks(world):
        truth.add(chunk)
        for feed, writer in writers.items():
            writer.write(FUNCTIONS[feed](world, chunk), chunk.first_day, chunk.end_day)
    dirt = {feed: writer.document() for feed, writer in writers.items()}
    truth.write(dirt)
    return Shop(options.output, dirt, time.perf_counter() - begun)


def summary(shop: Shop) -> str:
    """What was made, for people: rows and files by feed, the dirt in them, and where the truth lies."""
    lines = [f"{'feed':<16}{'records':>12}{'files':>7}  dirt (rows)"]
    for feed, entry in shop.dirt.items():
        ledger = entry["ledger"]
        dirt = ", ".join(f"{kind} {count['rows']}" for kind, count in entry["kinds"].items()) or "none"
        lines.append(f"{feed:<16}{ledger['physical_records']:>12,}{ledger['files']:>7}  {dirt}")
    lines.append(f"truth (no pipeline reads it): {shop.output / 'truth'}")
    lines.append(f"made in {shop.seconds:.1f} s")
    return "\n".join(lines) + "\n"


def _clear(output: Path) -> None:
    """Remove an older shop; refuse a folder that holds anything else."""
    if output.exists() and not output.is_dir():
        raise ShopError(f"--output {output} is not a folder")
    if not output.exists() or not any(output.iterdir()):
        return
    marker = output / "truth" / "world.json"
    strange = [path.name for path in output.iterdir() if path.name not in {*FEEDS, "truth"}]
    if strange or not marker.is_file() or MADE_BY not in marker.read_text():
        raise ShopError(f"--output {output} is not empty and not a shop made by this tool; give another folder")
    for path in output.iterdir():
        shutil.rmtree(path)
