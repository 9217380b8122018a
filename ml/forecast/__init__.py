"""Demand forecasts for many series at once: an ensemble whose weights, intervals and fallbacks are learnt and said."""
