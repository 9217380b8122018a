"""What a code on an invoice stands for: goods, or postage, fees, gift vouchers and the like."""

from __future__ import annotations

ITEM_TYPES = ("product", "shipping", "discount", "fee", "adjustment", "sample", "voucher", "donation")
