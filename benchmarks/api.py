"""The API under load, on this machine: `python -m benchmarks.api --help`.

A made-up shop is written, `shoplake api` is started on it, and this process asks as many times a second as it is told,
whether or not the answers keep up: a request's time counts from the moment at which it was due.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from benchmarks.api_data import SHOP, big_shop, customer, product, publish
from gold.recommend import best_sellers
from lakehouse.settings import load
from lakehouse.store.lake import Lake
from serving.reader import without_spark

CONNECTIONS = 16
Ask = Callable[[], str]


def main() -> int:
    """Make the shop, ask, print the percentiles."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.api", description="The API under load.")
    options.add_argument("--products", type=int, default=100_000, help="products of the shop (default 100,000)")
    options.add_argument("--customers", type=int, default=50_000, help="customers with lists (default 50,000)")
    options.add_argument("--rate", type=int, default=200, help="requests a second (default 200)")
    options.add_argument("--seconds", type=int, default=20, help="how long each kind is asked (default 20)")
    options.add_argument("--without-neighbors", type=float, default=0.1, help="share of products (default .1)")
    chosen = options.parse_args()
    chance = random.Random(7)

    def known() -> str:
        return urlencode({"customer": customer(chance.randrange(chosen.customers))})

    def session(length: int) -> str:
        return urlencode({"seen": [product(chance.randrange(chosen.products)) for _ in range(length)]}, doseq=True)

    kinds: dict[str, Ask] = {
        "known customer": known,
        "session of one product": lambda: session(1),
        "session of five products": lambda: session(5),
        "known customer, session of five": lambda: f"{known()}&{session(5)}",
    }
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as scratch:
        lake = Lake(without_spark, Path(scratch) / "warehouse", load("local"))
        tables = big_shop(chosen.customers, chosen.products, chosen.without_neighbors)
        publish(lake, tables)
        with serving(lake.warehouse) as (port, process):
            print(f"loaded, {_resident(process.pid) / 2**20:,.0f} MiB", flush=True)
            load_test(port, known, chosen.rate, 3)  # warms up
            for name, ask in kinds.items():
                told(name, process.pid, port, ask, chosen)
            publish(lake, {best_sellers.TABLE: tables[best_sellers.TABLE].head(40)})
            told("known customer, while a newer release is loaded", process.pid, port, known, chosen)
    return 0


@contextmanager
def serving(warehouse: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The API on a free port, once it answers, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jobs.api", "--warehouse", str(warehouse), "--port", str(port), "--rate", "1e6"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if process.poll() is not None:
                    raise SystemExit("the API did not start") from None
                time.sleep(0.1)
        yield port, process
    finally:
        process.terminate()
        process.wait()


def load_test(port: int, ask: Ask, rate: int, seconds: int) -> list[float]:
    """The milliseconds of each request, `rate` a second, from when it was due. An answer other than 200 ends it all."""
    paths = [f"/v1/shops/{SHOP}/recommendations?{ask()}" for _ in range(rate * seconds)]
    numbers, lock = count(), threading.Lock()
    start = time.perf_counter() + 0.1

    def work() -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        taken: list[float] = []
        while True:
            with lock:
                number = next(numbers)
            if number >= len(paths):
                connection.close()
                return taken
            due = start + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("GET", paths[number])
            answer = connection.getresponse()
            body = answer.read()
            taken.append((time.perf_counter() - due) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{answer.status} for {paths[number]}: {body[:200]!r}")

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return [one for worker in [threads.submit(work) for _ in range(CONNECTIONS)] for one in worker.result()]


def told(name: str, process: int, port: int, ask: Ask, chosen: argparse.Namespace) -> None:
    """Ask, and print the percentiles and the processor time of the server for each request."""
    before = _processor(process)
    taken = load_test(port, ask, chosen.rate, chosen.seconds)
    each = (_processor(process) - before) / len(taken) * 1000
    half, most, worst = np.percentile(taken, (50, 99, 100))
    asked = f"{len(taken):,} at {chosen.rate}/s, load {os.getloadavg()[0]:.1f}"
    print(
        f"{name:48} p50 {half:6.1f}  p99 {most:6.1f}  worst {worst:6.1f} ms, CPU {each:.1f} ms each ({asked})",
        flush=True,
    )


def _processor(process: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
