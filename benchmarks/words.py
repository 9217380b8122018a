"""The words of Shoplake's declarations as JSON, for a contender that must not load Spark."""

from __future__ import annotations

import json
from pathlib import Path

from silver import countries, order_lines, products


def write_words(path: Path) -> Path:
    """Codes and names of countries, and by table the sentence and the columns of each rule."""
    codes = {name.upper(): code for code, name in countries.NAMES.items()}
    rules = {
        table.name: {rule.name: {"says": rule.says, "columns": rule.columns} for rule in table.row_rules}
        for table in (order_lines.TABLE, products.TABLE)
    }
    listed = {code: code for code in countries.NAMES}
    path.write_text(json.dumps({"codes": codes | countries.ALIASES | listed, "names": countries.NAMES, "rules": rules}))
    return path
