"""Times of schedules: Quartz's cron, which Databricks reads, as plain cron, which all others read."""

from __future__ import annotations

import re

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS = {
    "minute": [f"{n}" for n in range(60)],
    "hour": [f"{n}" for n in range(24)],
    "day of month": [f"{n}" for n in range(1, 32)],
    "month": [*_MONTHS, *(f"{n}" for n in range(1, 13))],
    "day of week": _WEEKDAYS,
}
"""What may stand in a field. Days of the week have names: Quartz counts from Sunday as 1, cron as 0."""


def plain(quartz: str) -> str:
    """The same times in five fields. What plain cron cannot say, or Quartz does not take, is a `ValueError`."""
    parts = quartz.split()
    if len(parts) not in (6, 7):
        raise ValueError(f"has {len(parts)} fields and needs six: second minute hour day-of-month month day-of-week")
    second, *rest = parts
    fields, year = rest[:5], rest[5:]
    if second != "0" or year not in ([], ["*"]):
        raise ValueError("must start at second 0 of any year: cron knows neither")
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError("needs ? for one of day-of-month and day-of-week, and a time for the other")
    return " ".join(_field(name, text) for name, text in zip(_FIELDS, fields, strict=True))


def _field(name: str, text: str) -> str:
    if text == "?" and name.startswith("day"):
        return "*"
    return ",".join(_part(name, part) for part in text.split(","))


def _part(name: str, part: str) -> str:
    known = _FIELDS[name]
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?", part)
    if not found or not all(value is None or value in known for value in found.group(1, 2)):
        raise ValueError(f"{part} is no {name}; it is {known[0]} to {known[-1]}, *, a-b or a/step, with commas between")
    first, last, step = found.groups()
    if first and step and not last:  # from there on
        return f"{first}-{known[-1]}/{step}"
    return part
