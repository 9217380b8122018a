"""The questions of docs/questions.md, each with the one query that answers it."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "questions.md"
_SECTION = re.compile(r"^## (.+?\?)\n.*?```sql\n(.*?)```", re.DOTALL | re.MULTILINE)

QUESTIONS: dict[str, str] = dict(_SECTION.findall(_PAGE.read_text()))


def query(begins: str) -> str:
    """The query of the question that begins so."""
    (sql,) = [sql for question, sql in QUESTIONS.items() if question.startswith(begins)]
    return sql
