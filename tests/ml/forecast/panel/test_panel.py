from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import UsageError
from ml.forecast.panel.demand_class import classify
from ml.forecast.panel.last_year import weekly_alignment
from ml.forecast.panel.panel import Panel, leaking
from tests.ml.forecast.conftest import made_up


def test_gaps_are_refused(panel: Panel) -> None:
    frame = panel.frame.drop(index=panel.frame.index[40])
    with pytest.raises(UsageError, match="1 series have gaps"):
        _ = Panel(frame, "D", panel.covariates).cube


def test_repeated_periods_are_refused(panel: Panel) -> None:
    with pytest.raises(UsageError, match="1 rows of the panel repeat"):
        Panel(pd.concat([panel.frame, panel.frame.head(1)]), "D", panel.covariates)


def test_unknown_columns_frequencies_and_empty_panels_are_refused(panel: Panel) -> None:
    with pytest.raises(UsageError, match="lacks the columns price"):
        Panel(panel.frame, "D", ("price",))
    with pytest.raises(UsageError, match="daily"):
        Panel(panel.frame, "H")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(UsageError, match="nothing to learn from"):
        Panel(panel.frame.assign(y=np.nan), "D", panel.covariates)
    with pytest.raises(UsageError, match="infinite values in promotion"):
        Panel(panel.frame.assign(promotion=np.inf), "D", panel.covariates)


def test_periods_between_the_weeks_are_refused(panel: Panel) -> None:
    with pytest.raises(UsageError, match="between its W periods"):
        _ = Panel(panel.frame, "W", panel.covariates).cube


def test_a_price_that_is_blank_where_nothing_was_sold_is_a_leak() -> None:
    panel = made_up()
    nothing = np.random.default_rng(0).random(len(panel.frame)) < 0.2
    frame = panel.frame.assign(y=panel.frame["y"].where(~nothing | panel.frame["y"].isna(), 0.0))
    frame["price"] = np.where(nothing, 0.0, 9.5)
    frame["list_price"] = 10.0
    leaky = Panel(frame, "D", ("promotion", "price", "list_price"))
    assert list(leaking(leaky)) == ["price"]
    assert leaky.cube.covariates == ("promotion", "list_price")


def test_demand_classes() -> None:
    random = np.random.default_rng(0)
    often = np.arange(100) % 3 == 0
    y = np.stack(
        [
            10 + random.random(100),
            random.exponential(10, 100) ** 2,
            np.where(often, 5.0, 0.0),
            np.where(often, random.exponential(10, 100) ** 2, 0.0),
            np.zeros(100),
        ]
    )
    assert classify(y).tolist() == ["smooth", "erratic", "intermittent", "lumpy", "intermittent"]


def test_weeks_meet_the_same_weekdays_but_christmas_its_date_and_easter_its_sunday() -> None:
    starts = pd.date_range("2010-02-06", "2012-12-29", freq="7D")  # Saturdays
    weights = weekly_alignment(starts, easter=True)

    def last_year(day: str) -> dict[str, float]:
        row = weights[starts.get_loc(pd.Timestamp(day))]
        return {f"{starts[int(k)]:%F}": round(float(row[k]) * 7) for k in np.flatnonzero(row)}

    assert last_year("2011-07-02") == {"2010-07-03": 7}
    assert last_year("2011-11-19") == {"2010-11-20": 7}  # Thanksgiving
    assert last_year("2011-12-24") == {"2010-12-18": 1, "2010-12-25": 6}
    assert last_year("2011-04-16") == {"2010-03-27": 7}  # the week before 24 April, as before 4 April
    assert last_year("2010-07-03") == {}
