"""The segment model on customers that are made up, so that the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import UsageError
from ml.segment.evaluation import Quality, choose, explained, quality, squared_errors
from ml.segment.features import SCALED, scaled
from ml.segment.model import UNSCORED, QuintileSegments, SegmentModel, Space
from ml.segment.naming import as_named

KINDS = {  # recency, frequency, monetary, tenure; then log revenue to come
    "best": ((5, 30, 9000, 600), 8.0),
    "fresh": ((10, 1, 80, 15), 4.0),
    "fading": ((200, 12, 3000, 500), 2.0),
    "gone": ((400, 1, 60, 500), 0.1),
}


def customers(each: int = 150, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Customers of four kinds, the kind of each, and the log revenue that follows."""
    rng = np.random.default_rng(seed)
    rows, kinds, revenue = [], [], []
    for number, (centre, value) in enumerate(KINDS.values()):
        spread = rng.lognormal(0, 0.15, (each, 4)) * np.array(centre)
        rows.append(spread)
        kinds += [number] * each
        revenue.append(rng.normal(value, 0.3, each).clip(0))
    frame = pd.DataFrame(np.vstack(rows), columns=["recency_days", "frequency", "monetary", "tenure_days"])
    frame = frame.assign(customer_id=[f"c{n}" for n in range(len(frame))])
    for name in SCALED:
        frame[name] = frame.get(name, frame["frequency"] * 0.5 if name != "return_rate" else 0.1)
    return frame, np.array(kinds), np.concatenate(revenue)


def model_of(frame: pd.DataFrame, revenue: np.ndarray) -> SegmentModel:
    space = Space.learn(scaled(frame), revenue, seed=0)
    return SegmentModel.fit(space, scaled(frame), 4, seed=0)


def test_kinds_of_customers_are_found_and_named() -> None:
    frame, kinds, revenue = customers()
    made = model_of(frame, revenue).predict(frame)
    found = {kind: set(made["segment"][kinds == number]) for number, kind in enumerate(KINDS)}
    assert all(len(names) == 1 for names in found.values()), found
    assert found["best"] == {"Champions"}
    assert found["fresh"] == {"New"}
    assert found["fading"] == {"At risk"}
    assert found["gone"] == {"Lapsed"}


def test_tiers_follow_what_is_expected() -> None:
    frame, kinds, revenue = customers()
    made = model_of(frame, revenue).predict(frame)
    assert made["tier"].value_counts(normalize=True)["Low"] == pytest.approx(0.5, abs=0.03)
    assert set(made["tier"][kinds == 0]) <= {"High", "Medium"}
    assert set(made["tier"][kinds == 3]) == {"Low"}


def test_a_customer_without_a_lasting_order_is_kept_apart() -> None:
    frame, _, revenue = customers()
    model = model_of(frame, revenue)
    frame.loc[0, ["frequency", "recency_days"]] = [0, np.nan]
    made = model.predict(frame)
    assert made.loc[0, "segment"] == UNSCORED
    assert pd.isna(made.loc[0, "cluster"])
    assert pd.isna(made.loc[0, "distance"])
    assert made.loc[1:, "distance"].notna().all()


def test_a_saved_model_scores_the_same(tmp_path: Path) -> None:
    frame, _, revenue = customers()
    model = model_of(frame, revenue)
    model.save(tmp_path)
    pd.testing.assert_frame_equal(SegmentModel.load(tmp_path).predict(frame), model.predict(frame))


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    frame, _, revenue = customers()
    model_of(frame, revenue).save(tmp_path)
    file = tmp_path / "model.json"
    file.write_text(file.read_text().replace("recency_days", "something_else"))
    with pytest.raises(UsageError, match=r"something_else.*train again"):
        SegmentModel.load(tmp_path)


def test_the_same_seed_gives_the_same_model() -> None:
    frame, _, revenue = customers()
    once, again = (model_of(frame, revenue).predict(frame) for _ in range(2))
    pd.testing.assert_frame_equal(once, again)


def test_quality_tells_four_kinds_from_noise() -> None:
    frame, _, revenue = customers()
    places = Space.learn(scaled(frame), revenue, seed=0).place(scaled(frame))
    real, _ = quality(places, 4, revenue, seed=0)
    noise, _ = quality(np.random.default_rng(0).normal(size=places.shape), 4, revenue, seed=0)
    assert real.silhouette > 0.6 > 0.35 > noise.silhouette
    assert real.stability > 0.95 > noise.stability
    assert real.r2 > 0.9 > 0.05 > noise.r2
    assert real.smallest_share == pytest.approx(0.25, abs=0.01)


def test_errors_are_held_out() -> None:
    """A group of one customer predicts nothing of that customer."""
    revenue = np.array([0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    alone = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    assert explained(squared_errors(alone, revenue, seed=0), revenue) < 0


def test_the_fewest_clusters_that_explain_as_much_are_chosen() -> None:
    def of(clusters: int, r2: float, share: float = 0.1, stability: float = 0.95) -> Quality:
        return Quality(clusters, 0.4, share, stability, r2, 0.01)

    rule = {"least_share": 0.02, "least_stability": 0.9}
    assert choose([of(4, 0.300), of(5, 0.305), of(6, 0.306)], **rule).clusters == 4
    assert choose([of(4, 0.250), of(5, 0.305), of(6, 0.306)], **rule).clusters == 5
    assert choose([of(4, 0.250), of(5, 0.305, share=0.01), of(6, 0.306, stability=0.5)], **rule).clusters == 4
    assert choose([of(4, 0.2, stability=0.3), of(5, 0.1, stability=0.4)], **rule).clusters == 5


def test_the_baseline_names_ranges_of_the_quintiles() -> None:
    scores = pd.DataFrame({"r_score": [5, 3, 1, None], "f_score": [5, 3, 1, None], "m_score": [5, 3, 1, None]})
    made = QuintileSegments().predict(scores)
    assert made["segment"].tolist() == ["Champions", "Occasional", "Lapsed", UNSCORED]
    assert made["tier"].tolist() == ["High", "Medium", "Low", "Low"]
    assert made["cluster"].isna().tolist() == [False, False, False, True]


def test_a_rule_expects_nothing_and_still_puts_segments_in_order() -> None:
    scores = pd.DataFrame({"r_score": [5, 1, None], "f_score": [5, 1, None], "m_score": [5, 1, None]})
    made = QuintileSegments().predict(scores)
    assert made["value_score"].isna().all()
    assert made["standing"].tolist() == [15, 3, 0]
    frame, _, revenue = customers()
    frame.loc[0, ["frequency", "recency_days"]] = [0, np.nan]
    told = model_of(frame, revenue).predict(frame)
    assert told["value_score"].isna().tolist() == [True] + [False] * (len(frame) - 1)
    assert told["standing"][1:].equals(told["value_score"][1:].rename("standing"))


def test_clusters_of_earlier_days_have_the_names_of_the_tables() -> None:
    names = ("Champions", "Lapsed", "New")
    ours, theirs = np.array([2, 2, 2, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 2, 2, 0])
    assert as_named(names, ours, theirs) == ["Lapsed", "New", "Champions"]
