from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from joblib import cpu_count
from threadpoolctl import threadpool_info, threadpool_limits

from ml.forecast.members import arima
from ml.forecast.members.member import on_all_cores
from ml.forecast.panel.decomposition import Decomposition, decompose
from ml.forecast.panel.panel import Array, History
from tests.ml.forecast.conftest import HORIZON, QUICK, made_up

SERIES = 150
STUCK = """
import os, pathlib, sys, time
from ml.forecast.members.member import on_all_cores
from ml.forecast.panel.decomposition import decompose
from tests.ml.forecast.conftest import HORIZON, QUICK, made_up

def forecast(history, shared):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(100)

history = (cube := made_up(150).cube).until(cube.length, HORIZON)
on_all_cores(forecast, history, decompose(history, QUICK))
"""


def levels(history: History, shared: Decomposition) -> Array:
    return np.repeat(np.nanmean(shared.z, axis=1)[:, None], history.horizon, axis=1)


def test_what_all_cores_say_is_what_one_says() -> None:
    history = (cube := made_up(SERIES).cube).until(cube.length, HORIZON)
    shared = decompose(history, QUICK)
    assert np.array_equal(on_all_cores(levels, history, shared), levels(history, shared))


def test_arima_takes_one_thread_of_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def threads(history: History, shared: Decomposition) -> Array:
        seen.extend(library["num_threads"] for library in threadpool_info())
        return levels(history, shared)

    monkeypatch.setattr(arima, "_forecasts", threads)
    history = (cube := made_up().cube).until(cube.length, HORIZON)
    with threadpool_limits(2):
        arima.Arima().forecast(history, decompose(history, QUICK))
    assert set(seen) == {1}


@pytest.mark.skipif(cpu_count() < 2, reason="one core has no other processes")
def test_a_killed_job_leaves_no_process_behind(tmp_path: Path) -> None:
    job = subprocess.Popen([sys.executable, "-c", STUCK, str(tmp_path)], stderr=subprocess.DEVNULL)
    working = _within(60, lambda: len(list(tmp_path.iterdir())) > 1)
    job.kill()
    job.wait()
    assert working
    assert _within(20, lambda: not any(_lives(int(path.name)) for path in tmp_path.iterdir()))


def _within(seconds: int, holds: Callable[[], bool]) -> bool:
    for _ in range(10 * seconds):
        if holds():
            return True
        time.sleep(0.1)
    return False


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
