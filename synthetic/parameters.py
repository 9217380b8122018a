"""The planted parameters: each is declared once with the sentence that `truth/world.json` prints for it."""

from dataclasses import dataclass, field, fields
from typing import Any

COUNTRIES = ("DE", "FR", "NL", "ES", "IT", "AT")
CATEGORIES = ("clothing", "shoes", "home", "electronics", "sports", "beauty")
METHODS = ("card", "paypal", "invoice", "bank_transfer")
AD_CHANNELS = ("paid_search", "social", "display", "affiliate")
CAMPAIGNS = ("brand", "prospecting")
EXPERIMENTS = ("one_page_checkout", "bundle_hint", "button_colour")
CAUSES = ("", "payment_failed", "out_of_stock", "late_delivery_promise", "change_of_mind")
TOPICS = ("delivery", "quality", "fit", "price", "service")
SENTIMENTS = ("negative", "neutral", "positive")

Numbers = tuple[float, ...]


def _planted(value: Any, meaning: str) -> Any:
    return field(default=value, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Parameters:
    """Every number that acts in the data. Sources stand where a form or a size comes from the literature.

    Adstock and Hill saturation follow Jin, Wang, Sun, Chan and Koehler, "Bayesian Methods for Media Mix Modeling with
    Carryover and Shape Effects" (Google, 2017). Elasticities lie around the mean of -2.62 in the meta-analysis of
    Bijmolt, van Heerde and Pieters, "New Empirical Generalizations on the Determinants of Price Elasticity" (Journal
    of Marketing Research 42, 2005). Tastes are a non-negative factor model, as in Lee and Seung, "Learning the parts
    of objects by non-negative matrix factorization" (Nature 401, 1999).
    """

    country_shares: Numbers = _planted(
        (0.38, 0.20, 0.13, 0.11, 0.10, 0.08), "Share of demand by country, in the order DE, FR, NL, ES, IT, AT."
    )
    weekly: Numbers = _planted(
        (0.92, 0.86, 0.88, 0.94, 1.02, 1.14, 1.24), "Multiplier of expected orders by weekday, Monday first, mean 1."
    )
    yearly_amplitude: float = _planted(0.15, "Amplitude of the yearly cosine in expected orders; it peaks on day 340.")
    peak_season: float = _planted(1.35, "Multiplier of expected orders from 20 November to 20 December.")
    holiday: float = _planted(0.60, "Multiplier of a country's expected orders on its public holidays.")
    category_season: Numbers = _planted(
        (0.25, 0.20, 0.15, 0.10, 0.30, 0.05), "Amplitude of each category's own yearly cosine in demand."
    )
    category_peak: Numbers = _planted((290, 280, 330, 345, 160, 45), "Day of the year on which each category peaks.")
    elasticity: Numbers = _planted(
        (-2.4, -2.0, -1.5, -2.6, -1.8, -1.3), "Price elasticity of demand by category: demand ~ (price/reference)^e."
    )
    promotion_bonus: Numbers = _planted(
        (1.15, 1.35), "Demand multiplier of a promotion's display beyond its price cut: percent_off, flash_sale."
    )
    tastes: int = _planted(6, "Rank of the taste model: P(product | customer) = sum of customer x product factors.")
    customer_taste_concentration: float = _planted(0.3, "Dirichlet concentration of a customer's factors; small = one.")
    lines_per_order: float = _planted(2.4, "Mean lines of an order before basket rules and promotions add to it.")
    more_units: Numbers = _planted((0.18, 0.05), "Chances that a line has a second and a further unit.")
    rules: int = _planted(8, "Number of basket rules A -> B; each with its lift stands in basket_rules.parquet.")
    rule_attach: Numbers = _planted((0.25, 0.45), "Range of the chance that a basket with A gets B added by its rule.")
    rate_shape: float = _planted(0.8, "Gamma shape of the customers' order rates; small = few customers order much.")
    churn_hazard: float = _planted(0.0020, "Daily chance that a living customer starts to leave.")
    churned_before: float = _planted(0.15, "Share of the customers of the first day who have left for good already.")
    churn_decay_days: int = _planted(15, "e-folding time in days of a leaving customer's order rate.")
    churn_after_days: int = _planted(45, "Days from the start of the decay to the churn date; no order after it.")
    moves_per_year: float = _planted(0.20, "Yearly rate of a customer's change of address.")
    consent_changes_per_year: float = _planted(0.25, "Yearly rate of a customer's change of marketing consent.")
    adstock: Numbers = _planted(
        (0.30, 0.55, 0.75, 0.20), "Daily carry-over of each ad channel: adstock(t) = spend(t) + carry * adstock(t-1)."
    )
    saturation_shape: Numbers = _planted((1.0, 1.4, 1.8, 1.0), "Hill slope s of each ad channel.")
    saturation_half: Numbers = _planted(
        (1.5, 2.0, 3.0, 1.2), "Adstock of half effect, in multiples of the channel's mean daily spend."
    )
    ad_strength: Numbers = _planted(
        (0.35, 0.25, 0.12, 0.10),
        "Largest extra share of orders by channel: orders x (1 + sum strength * a^s/(a^s + half^s)).",
    )
    spend_per_order: Numbers = _planted((1.60, 1.10, 0.60, 0.40), "Mean daily spend by ad channel, EUR per base order.")
    payment_failure: Numbers = _planted(
        (0.015, 0.008, 0.002, 0.030), "Chance that the payment fails: card, paypal, invoice, bank_transfer."
    )
    late_promise: Numbers = _planted(
        (0.006, 0.45), "Chance a of cancelling for a late promise: a * exp(b * (promised days - 3)), at most 0.5."
    )
    change_of_mind: float = _planted(0.020, "Chance that an order is cancelled because of a change of mind.")
    oversold: float = _planted(0.20, "Chance that an order with a sold-out line is taken anyway and then cancelled.")
    reason_missing: float = _planted(0.20, "Share of cancelled orders whose cancel_reason is empty in the feed.")
    return_rate: Numbers = _planted(
        (0.16, 0.18, 0.05, 0.07, 0.06, 0.03),
        "Chance that a delivered order is returned, by its riskiest category.",
    )
    reorder_misjudgement: Numbers = _planted(
        (0.55, 1.5), "Range of each product's reorder point over its expected demand in the lead time; <1 runs out."
    )
    stock_cover_days: int = _planted(28, "Days of expected demand in a purchase order to the supplier.")
    conversion: float = _planted(0.12, "Share of sessions that buy.")
    tracked_sessions: int = _planted(
        2500, "Most sessions a day in page_events: above it the tracker samples whole sessions, as trackers do."
    )
    experiment_conversion: Numbers = _planted(
        (0.20, 0.0, 0.0), "Extra order rate of treatment: one_page_checkout, bundle_hint, button_colour."
    )
    experiment_basket: Numbers = _planted(
        (0.0, 0.25, 0.0), "Extra lines beyond the first of treatment orders, as a share, by experiment."
    )
    experiment_window: tuple[Numbers, ...] = _planted(
        ((0.20, 0.90), (0.30, 1.0), (0.10, 0.80)), "Start and end of each experiment as shares of the period."
    )
    review_rate: float = _planted(0.07, "Chance that a delivered line is reviewed.")
    late_delivery_blow: float = _planted(1.3, "Loss of satisfaction (standard deviations) by a late delivery.")
    star_mistakes: float = _planted(0.04, "Share of reviews whose stars are turned round (1 for 5) against the text.")

    def documented(self) -> dict[str, dict[str, Any]]:
        """Every parameter with its value and its sentence, for `truth/world.json`."""
        return {
            item.name: {"value": getattr(self, item.name), "meaning": item.metadata["meaning"]} for item in fields(self)
        }


PLANTED = Parameters()
"""The parameters of every shop; seed and size are the caller's, the world's laws are not."""
