"""What a model must show to become champion, and the decision: a pure function of that evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ml.core.compare import Ratio

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Evidence:
    """What was measured on time that the model had not seen.

    The ratios are of an error or a loss, ours by theirs, on the same cases: below 1 is better. `criteria` are the
    acceptance criteria beside them, as sentences with their verdicts. `baseline` names what the first ratio is against,
    where the model must beat more than the rule that serves without it.
    """

    measure: str
    window: str
    against_baseline: Ratio
    against_champion: Ratio | None = None
    criteria: Mapping[str, bool] = field(default_factory=dict)
    baseline: str = "the baseline"


@dataclass(frozen=True)
class Decision:
    """Whether a model becomes champion, and why, in words."""

    promoted: bool
    why: str


def decide(evidence: Evidence) -> Decision:
    """A model is promoted when it meets its criteria, beats the plain baseline, and is not worse than the champion.

    "Beats" means that the whole interval lies below 1; "worse" that the whole interval lies above 1. A new model that
    is as good as the champion replaces it: it knows later data.
    """
    if failed := [sentence for sentence, holds in evidence.criteria.items() if not holds]:
        return Decision(False, "does not hold: " + "; ".join(failed))
    baseline, champion = evidence.against_baseline, evidence.against_champion
    if not baseline.high < 1:
        return Decision(False, f"does not beat {evidence.baseline}: {evidence.measure} {baseline} of it")
    if champion is not None and champion.low > 1:
        return Decision(False, f"worse than the champion: {evidence.measure} {champion} of it")
    beside = "" if champion is None else f", {champion} of the champion's"
    return Decision(True, f"{evidence.measure} is {baseline} of that of {evidence.baseline}{beside}")
