"""A backtest is kept between trainings, and only while what it learnt from is as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.forecast.backtest import backtest as module
from ml.forecast.backtest import kept
from ml.forecast.backtest.backtest import Backtest, backtest, lengths
from ml.forecast.backtest.files import load_backtest, save_backtest
from ml.forecast.backtest.kept import NOTHING_SAID, Said
from ml.forecast.fallback.fallback import Fallbacks
from ml.forecast.members.member import Member
from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import History, Panel
from tests.ml.forecast.conftest import HORIZON, QUICK, made_up

SETTINGS = replace(QUICK, members=("boosting",), anchored=True)
DAYS = 140
LATER = made_up(series=4, days=DAYS + 7)


def as_of(panel: Panel, day: int) -> Panel:
    """What was known of the panel after so many days."""
    dates = panel.cube.dates
    frame = panel.frame[panel.frame["on"] <= dates[day + HORIZON - 1]]
    y = frame["y"].where(frame["on"] <= dates[day - 1])
    return replace(panel, frame=frame.assign(y=y))


@pytest.fixture(scope="module")
def first() -> Backtest:
    return backtest(as_of(LATER, DAYS).cube, HORIZON, SETTINGS)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the histories that members learn from."""
    found: list[int] = []
    real = module.fit

    def counted(asked: dict[str, Member], history: History, shared: Decomposition, fallback: Fallbacks) -> None:
        found.append(history.length)
        real(asked, history, shared, fallback)

    monkeypatch.setattr(module, "fit", counted)
    return found


def again(panel: Panel, said: Said) -> Backtest:
    return backtest(panel.cube, HORIZON, SETTINGS, said)


def test_a_week_later_the_newest_cutoff_alone_is_fitted(first: Backtest, fitted: list[int]) -> None:
    with_kept = again(LATER, first.said)
    assert fitted == [DAYS]
    anew = again(LATER, NOTHING_SAID)
    assert np.array_equal(with_kept.logs, anew.logs)
    assert with_kept.said.keys() == anew.said.keys()


def test_it_is_kept_in_files(first: Backtest, fitted: list[int], tmp_path: Path) -> None:
    save_backtest(first, tmp_path)
    again(LATER, load_backtest(tmp_path).said)
    assert fitted == [DAYS]


def test_a_restated_past_is_learnt_anew_from_then_on(first: Backtest, fitted: list[int]) -> None:
    oldest, middle, newest = lengths(LATER.cube, HORIZON, SETTINGS)
    for day, learnt in ((0, [oldest, middle, newest]), (middle - 1, [middle, newest]), (newest - 1, [newest])):
        fitted.clear()
        frame = LATER.frame.copy()
        frame.loc[(frame["series_id"] == "s0") & (frame["on"] == LATER.cube.dates[day]), "y"] += 1
        again(replace(LATER, frame=frame), first.said)
        assert fitted == learnt


def test_other_settings_and_other_code_are_learnt_anew(
    first: Backtest, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    backtest(LATER.cube, HORIZON, replace(SETTINGS, seed=8), first.said)
    assert len(fitted) == SETTINGS.origins
    fitted.clear()
    monkeypatch.setattr(kept, "code_version", lambda: "another")
    again(LATER, first.said)
    assert len(fitted) == SETTINGS.origins


def test_a_product_that_came_later_changes_nothing_that_was_said_before(first: Backtest, fitted: list[int]) -> None:
    new = LATER.frame[(LATER.frame["series_id"] == "s1") & (LATER.frame["on"] >= LATER.cube.dates[DAYS - 3])]
    panel = replace(LATER, frame=pd.concat([LATER.frame, new.assign(series_id="s10")]))
    tested = again(panel, first.said)
    assert fitted == [DAYS]
    assert tested.logs.shape[2] == 5


def test_some_of_the_members_keep_nothing(first: Backtest) -> None:
    assert first.only(("boosting",)).said == {}


@pytest.mark.parametrize("days", range(130, 152))
def test_anchored_cutoffs_stay_where_they_are_for_a_step(days: int) -> None:
    cutoffs = lengths(as_of(made_up(series=2, days=160), days).cube, HORIZON, SETTINGS)
    assert len(cutoffs) == SETTINGS.origins
    assert cutoffs[-1] == days - HORIZON
    assert HORIZON <= cutoffs[-1] - cutoffs[-2] < 2 * HORIZON
    assert {(cutoff - cutoffs[0]) % 7 for cutoff in cutoffs[:-1]} == {0}
    assert (cutoffs[0] - lengths(made_up(series=2, days=160).cube, HORIZON, SETTINGS)[0]) % 7 == 0


def test_a_history_too_short_for_the_calendar_has_cutoffs_all_the_same() -> None:
    cube = made_up(series=2, days=60).cube
    assert lengths(cube, HORIZON, SETTINGS) == lengths(cube, HORIZON, QUICK)
