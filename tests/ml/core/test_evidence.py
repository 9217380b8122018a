"""What makes a model champion."""

from __future__ import annotations

import numpy as np
import pytest

from ml.core.compare import Ratio, paired_ratio
from ml.core.evidence import Evidence, decide

BETTER, SAME, WORSE = Ratio(0.8, 0.7, 0.9), Ratio(1.0, 0.9, 1.1), Ratio(1.2, 1.1, 1.3)


def evidence(baseline: Ratio, champion: Ratio | None = None, **criteria: bool) -> Evidence:
    return Evidence("error", "June", baseline, champion, criteria)


@pytest.mark.parametrize(
    ("shown", "promoted", "why"),
    [
        (evidence(BETTER), True, "error is 0.800 [0.700, 0.900] of that of the baseline"),
        (evidence(SAME), False, "does not beat the baseline"),
        (evidence(WORSE), False, "does not beat the baseline"),
        (evidence(BETTER, BETTER), True, "of the champion's"),
        (evidence(BETTER, SAME), True, "of the champion's"),
        (evidence(BETTER, WORSE), False, "worse than the champion"),
        (evidence(BETTER, stable=False, large=True), False, "does not hold: stable"),
        (evidence(Ratio(float("nan"), float("nan"), float("nan"))), False, "does not beat the baseline"),
    ],
)
def test_a_model_is_promoted_only_on_evidence(shown: Evidence, promoted: bool, why: str) -> None:
    decision = decide(shown)
    assert decision.promoted is promoted
    assert why in decision.why


def test_the_interval_of_a_paired_ratio_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for trial in range(100):
        theirs = rng.gamma(2, 1, 300)
        ours = 0.8 * theirs * rng.gamma(20, 1 / 20, 300)
        ratio = paired_ratio(ours, theirs, draws=200, seed=trial)
        held += ratio.low <= 0.8 <= ratio.high
    assert 88 <= held <= 99


def test_a_pair_is_needed_for_each_case() -> None:
    with pytest.raises(ValueError, match="pairs"):
        paired_ratio(np.ones(2), np.ones(3))


def test_two_without_any_error_are_equally_good() -> None:
    assert paired_ratio(np.zeros(3), np.zeros(3)) == Ratio(1, 1, 1)
    assert not decide(Evidence("an error", "a window", paired_ratio(np.ones(3), np.zeros(3)))).promoted
    with pytest.raises(ValueError, match="at least one"):
        paired_ratio(np.ones(0), np.ones(0))
