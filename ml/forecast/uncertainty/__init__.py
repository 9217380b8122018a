"""How far from its median a forecast may lie: conformal intervals, and from medians to means."""
