"""What can be chosen about a hybrid; the defaults are those chosen on the validation cutoff of Online Retail II."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """How a hybrid learns. All spans are in days. Stored models hold the fields by name, so the names stay."""

    window: int = 30
    """What "next" means: purchases within so many days after a cutoff."""
    step: int = 15
    """Days between training cutoffs."""
    cuts: int = 6
    """How many rolling training cutoffs; fewer where the history is short."""
    season_cuts: int = 2
    """How many more cutoffs a year earlier, at the season that is to be forecast; where the history reaches back."""
    warm_up: int = 60
    """Days of history that a training cutoff needs before it."""
    active: int = 180
    """A product is in the catalogue when it was sold within so many days, or is listed and was never sold."""
    negatives: int = 100
    """Candidates that were not bought, drawn for each customer and cutoff of the training."""
    trees: dict[str, int] = field(default_factory=lambda: {"ALL": 330, "NEW": 250})
    binary_trees: int = 150
    leaves: int = 31
    min_rows: int = 200
    """Training rows that a leaf needs at least."""
    binary_weight: float = 0.5
    """Weight of the binary model's z-score beside that of lambdarank."""
    network: bool = True
    """Whether a network ranks beside the trees."""
    network_weight: float = 1.0
    """Weight of the network's z-score beside that of lambdarank."""
    tower: bool = True
    """Whether the two towers propose candidates."""
    coverage_cost: float = 0.01
    """The share of the expected DCG that showing more of the catalogue may cost."""
    coverage_target: float = 0.5
    """The share of the catalogue after which it stops."""
    seed: int = 7
