"""Times of Databricks's schedules say the same to everyone else, or are refused."""

import pytest

from jobs.deploy import cron


@pytest.mark.parametrize(
    ("quartz", "plain"),
    [
        ("0 0 3 * * ?", "0 3 * * *"),
        ("0 30 5 ? * MON", "30 5 * * MON"),
        ("0 0 6 1 * ? *", "0 6 1 * *"),
        ("0 */15 8-18 ? JAN-MAR MON-FRI", "*/15 8-18 * JAN-MAR MON-FRI"),
        ("0 5/20 0,12 1,15 * ?", "5-59/20 0,12 1,15 * *"),
    ],
)
def test_the_same_times_in_five_fields(quartz: str, plain: str) -> None:
    assert cron.plain(quartz) == plain


@pytest.mark.parametrize(
    ("quartz", "why"),
    [
        ("0 3 * * *", "has 5 fields and needs six"),
        ("0 0 3 * * *", "needs . for one of day-of-month and day-of-week"),
        ("0 0 3 ? * ?", "needs . for one of day-of-month and day-of-week"),
        ("30 0 3 * * ?", "must start at second 0 of any year"),
        ("0 0 3 * * ? 2027", "must start at second 0 of any year"),
        ("0 60 3 * * ?", "60 is no minute; it is 0 to 59"),
        ("0 0 24 * * ?", "24 is no hour; it is 0 to 23"),
        ("0 0 3 ? * 2", "2 is no day of week; it is SUN to SAT"),
        ("0 0 3 L * ?", "L is no day of month; it is 1 to 31"),
        ("0 0 ? * * ?", r"\? is no hour"),
        ("0 0/0 3 * * ?", "0/0 is no minute"),
    ],
)
def test_what_does_not_say_the_same_is_refused(quartz: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cron.plain(quartz)
