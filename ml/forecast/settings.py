"""What a forecast may be configured with."""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.errors import UsageError

MEMBERS = ("arima", "prophet", "lstm", "boosting")
QUANTILES = (0.025, 0.05, 0.10, 0.50, 0.90, 0.95, 0.975)


@dataclass(frozen=True)
class Settings:
    """How an ensemble is built.

    `members` are the models that vote (all of `MEMBERS`, or some); `origins` how many rolling cutoffs teach weights and
    intervals (3 to 6 are enough) and `origin_step` the periods between them
    (by default the horizon, less where the history is short). `seed` and `lstm_seeds` make results repeatable, and
    `lstm_steps` bounds the gradient steps of each network. `easter` aligns the weeks around Easter when a week is
    compared with last year's. `anchored` puts all cutoffs but the newest on the same days of the calendar whenever it
    is trained, so that what was said at them can be kept. Stored models hold the fields by name, so the names stay.
    """

    members: tuple[str, ...] = MEMBERS
    origins: int = 4
    origin_step: int | None = None
    seed: int = 7
    lstm_seeds: int = 2
    lstm_steps: int = 250
    easter: bool = True
    anchored: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.members) - set(MEMBERS))
        if unknown or not self.members:
            raise UsageError(f"members {unknown or 'none'}: choose one or more of {', '.join(MEMBERS)}")
        if self.origins < 1 or self.lstm_seeds < 1 or self.lstm_steps < 1 or (self.origin_step or 1) < 1:
            raise UsageError("origins, origin_step, lstm_seeds and lstm_steps are numbers of at least 1")


def column(level: float) -> str:
    """The column of a quantile: q025 for 0.025, q10 for 0.1, q995 for 0.995."""
    return f"q{f'{level:.4f}'.removeprefix('0.').rstrip('0').ljust(2, '0')}"
