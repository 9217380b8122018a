"""The account of a batch: every row and every penny has one outcome, or the batch stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lakehouse.errors import AccountsImbalance

ZERO = Decimal("0.00")


@dataclass
class Account:
    """The account of one batch; names as in `ops.row_ledger`. Amounts are None where the table has no money."""

    rows_read: int = 0
    rows_generated: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_filtered: dict[str, int] = field(default_factory=dict)
    rows_folded: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_deleted: int = 0
    rows_warned: dict[str, int] = field(default_factory=dict)
    rows_rejected_by_rule: dict[str, int] = field(default_factory=dict)
    amount_read: Decimal | None = None
    amount_accepted: Decimal | None = None
    amount_quarantined: Decimal | None = None
    amount_duplicate: Decimal | None = None
    amount_filtered: dict[str, Decimal] = field(default_factory=dict)
    amount_inserted: Decimal | None = None
    amount_updated: Decimal | None = None
    amount_unchanged: Decimal | None = None

    def check_split(self, name: str) -> None:
        """Raise `AccountsImbalance` unless every row and penny that was read has one outcome."""
        read = self.rows_read + self.rows_generated
        outcomes = {
            "accepted": self.rows_accepted,
            "quarantined": self.rows_quarantined,
            "duplicate": self.rows_duplicate,
            "filtered": sum(self.rows_filtered.values()),
            "folded": self.rows_folded,
        }
        _balance(name, "rows", read, outcomes)
        if self.amount_read is not None:
            amounts = {
                "accepted": self.amount_accepted or ZERO,
                "quarantined": self.amount_quarantined or ZERO,
                "duplicate": self.amount_duplicate or ZERO,
                "filtered": sum(self.amount_filtered.values(), ZERO),
            }
            _balance(name, "amount", self.amount_read, amounts)

    def check_published(self, name: str) -> None:
        """Raise `AccountsImbalance` unless every accepted row is inserted, updated or unchanged."""
        parts = {"inserted": self.rows_inserted, "updated": self.rows_updated, "unchanged": self.rows_unchanged}
        if min(parts.values()) < 0:
            raise AccountsImbalance(f"{name}: more rows were written than were accepted: {_equation(parts)}")
        _balance(name, "rows accepted", self.rows_accepted, parts)
        if self.amount_accepted is not None:
            amounts = {
                "inserted": self.amount_inserted or ZERO,
                "updated": self.amount_updated or ZERO,
                "unchanged": self.amount_unchanged or ZERO,
            }
            _balance(name, "amount accepted", self.amount_accepted, amounts)


def account_from(noted: dict[str, Any]) -> Account:
    """An account as a journal keeps it."""
    values = dict(noted)
    for name, value in values.items():
        if name == "amount_filtered":
            values[name] = {reason: Decimal(amount) for reason, amount in value.items()}
        elif name.startswith("amount_") and value is not None:
            values[name] = Decimal(value)
    return Account(**values)


def _equation(parts: dict[str, Any]) -> str:
    return " + ".join(f"{value} {key}" for key, value in parts.items())


def _balance(name: str, what: str, total: int | Decimal, parts: dict[str, Any]) -> None:
    difference = total - sum(parts.values())
    if difference:
        raise AccountsImbalance(
            f"{name}: the accounts do not balance: {total} {what} is not {_equation(parts)} (difference {difference}). "
            "Nothing further is read from this batch; check the table's build and its amount"
        )
