"""The ops tables, as declared: runs, accounts, gates, files, drift, lineage, profiles, moves of models."""

from __future__ import annotations

import shlex

from lakehouse.declare.table import Field, Table

WIDE_MONEY = "DECIMAL(30,6)"
"""Money as delivered texts name it: with more decimals than a currency has, before a row is refused for them."""


def _ops(name: str, meaning: str, grain: str, row_law: str, *columns: tuple[str, str, str]) -> Table:
    fields = tuple(Field(column, kind, said) for column, kind, said in columns)
    return Table(f"ops.{name}", meaning, tuple(grain.split()), fields, row_law, write="append", has_lineage=False)


_BATCH = (
    ("run_id", "STRING", "run that did it"),
    ("batch_id", "STRING", "batch of the table"),
    ("table", "STRING", "table written"),
    ("step", "STRING", "way into the table: target <- what drives it"),
)


_AT = ("at", "TIMESTAMP", "when (UTC)")


ROW_LEDGER = _ops(
    "row_ledger",
    "What became of every row and every penny of a batch.",
    "batch_id",
    "one row per published batch; read + generated = accepted + quarantined + duplicate + filtered + folded",
    *_BATCH,
    _AT,
    ("rows_read", "BIGINT", "rows read from what is new, or from the groups that changed"),
    ("rows_generated", "BIGINT", "rows made without an input row, such as days without sales"),
    ("rows_accepted", "BIGINT", "rows that passed and were offered to the table"),
    ("rows_quarantined", "BIGINT", "rows that broke a rule"),
    ("rows_duplicate", "BIGINT", "rows that were there already in the same batch, alike"),
    ("rows_filtered", "MAP<STRING, BIGINT>", "rows left out on purpose, by reason"),
    ("rows_folded", "BIGINT", "rows that went into a group or a version with others: input rows less output rows"),
    ("rows_inserted", "BIGINT", "accepted rows that are new in the table"),
    ("rows_updated", "BIGINT", "accepted rows that replaced an older version"),
    ("rows_unchanged", "BIGINT", "accepted rows that the table held already, alike or newer"),
    ("rows_deleted", "BIGINT", "rows of changed groups that no longer exist"),
    ("rows_warned", "MAP<STRING, BIGINT>", "accepted rows that a warning applies to, by rule"),
    ("rows_rejected_by_rule", "MAP<STRING, BIGINT>", "quarantined rows by rule; a row may break several"),
    ("amount_read", WIDE_MONEY, "money in the rows read; null where the table has none"),
    ("amount_accepted", WIDE_MONEY, "money in the rows accepted"),
    ("amount_quarantined", WIDE_MONEY, "money in the rows quarantined"),
    ("amount_duplicate", WIDE_MONEY, "money in the duplicate rows"),
    ("amount_filtered", f"MAP<STRING, {WIDE_MONEY}>", "money in the rows left out, by reason"),
    ("amount_inserted", WIDE_MONEY, "money in the rows inserted"),
    ("amount_updated", WIDE_MONEY, "money in the rows updated, as they are now"),
    ("amount_unchanged", WIDE_MONEY, "money in the rows that were there already"),
    ("is_rebuilt", "BOOLEAN", "true where the journal was lost and the account was taken from the table's commit"),
)


GATE_RESULTS = _ops(
    "gate_results",
    "Each expectation that a gate looked at, with its verdict.",
    "batch_id suite expectation",
    "one row per batch and expectation, of blocked batches too",
    *_BATCH,
    _AT,
    ("suite", "STRING", "expectation suite"),
    ("expectation", "STRING", "rule or expectation"),
    ("says", "STRING", "what must hold, as a sentence"),
    ("passed", "BOOLEAN", "the verdict"),
    ("is_warning", "BOOLEAN", "true where a failure does not block"),
    ("failing_rows", "BIGINT", "rows that fail it"),
    ("observed", "STRING", "observed value"),
    ("examples", "ARRAY<STRING>", "at most five failing rows"),
)


FILES = _ops(
    "files",
    "Each delivered file, by the hash of its content, and what lay beside them and was not taken.",
    "batch_id file",
    "one row per file and batch; lines = header + blank + continuation + records + broken lines",
    *_BATCH,
    _AT,
    ("file", "STRING", "name below the input folder"),
    ("file_id", "STRING", "SHA-256 of its bytes; empty where it was not read"),
    ("size_bytes", "BIGINT", "size as delivered"),
    (
        "status",
        "STRING",
        "loaded, known (same content loaded before), unreadable, withdrawn, gone (bronze no longer holds it), or not "
        "taken (of no table and step)",
    ),
    ("message", "STRING", "why it was not read; or in what a loaded file is not as declared, and how it was read"),
    ("lines", "BIGINT", "physical lines"),
    ("header_lines", "BIGINT", "lines of the header"),
    ("blank_lines", "BIGINT", "blank lines"),
    ("continuation_lines", "BIGINT", "further lines of records that span several"),
    ("records", "BIGINT", "records read"),
    ("broken", "BIGINT", "broken records, now in quarantine"),
)


SCHEMA_DRIFT = _ops(
    "schema_drift",
    "Each change of a feed's columns.",
    "batch_id file column",
    "one row per file and column that is new or missing",
    *_BATCH,
    _AT,
    ("file", "STRING", "first file with the change in this batch"),
    ("column", "STRING", "column as named in the file"),
    ("change", "STRING", "new (kept in _rescued_data) or missing (optional, null)"),
)


LINEAGE = _ops(
    "lineage",
    "Which version of which table went into which version of which.",
    "batch_id source_table",
    "one row per batch and table read",
    *_BATCH,
    _AT,
    ("target_version", "BIGINT", "version of the table that the batch made"),
    ("source_table", "STRING", "table read"),
    ("from_version", "BIGINT", "version consumed before; null where it was read from the beginning"),
    ("until_version", "BIGINT", "version consumed now"),
)


PROFILES = _ops(
    "profiles",
    "What each delivered file brought into a table of silver: what later ones are compared with.",
    "batch_id delivery",
    "one row per step and delivered file, of the batch in which its rows came first",
    *_BATCH,
    _AT,
    ("delivery", "STRING", "batch of bronze and file, with a bar between"),
    ("file", "STRING", "name below the input folder"),
    ("newest_on", "DATE", "newest day of its accepted rows; null where none was"),
    ("rows_accepted", "BIGINT", "its rows that were accepted"),
    ("rows_quarantined", "BIGINT", "its rows that broke a rule"),
    (
        "missing",
        "MAP<STRING, BIGINT>",
        "accepted rows without a value, by column; none is left out",
    ),
    ("unknown", "MAP<STRING, BIGINT>", "rows with a code that is not known, by column; of refused ones by rule"),
    ("amounts", f"MAP<STRING, {WIDE_MONEY}>", "money in the accepted rows, by currency"),
)


RUNS = _ops(
    "runs",
    "Each run of a job.",
    "batch_id",
    "one row per run; what one process does after another, such as training and scoring, shares its run_id",
    ("run_id", "STRING", "process that ran, as in the other tables of ops"),
    ("batch_id", "STRING", "the run"),
    ("job", "STRING", "command with its options"),
    ("started_at", "TIMESTAMP", "start (UTC)"),
    ("ended_at", "TIMESTAMP", "end (UTC)"),
    ("exit_code", "INT", "0 done, 1 other, 2 usage, 3 gate blocked, 4 accounts do not balance"),
    ("batches", "BIGINT", "batches published"),
    ("message", "STRING", "first error, if any"),
    ("git_commit", "STRING", "commit of the code, where it is known"),
)


MODEL_MOVES = _ops(
    "model_moves",
    "Each move of a model's alias: which version became champion or challenger, and on what evidence.",
    "batch_id",
    "one row per move",
    ("run_id", "STRING", "run that moved it"),
    ("batch_id", "STRING", "the move"),
    _AT,
    ("family", "STRING", "family of models"),
    ("shop_id", "STRING", "shop that the model is of"),
    ("model", "STRING", "registered model: family-shop"),
    ("alias", "STRING", "champion (what scores) or challenger (trained, and not good enough)"),
    ("from_version", "BIGINT", "version that the alias named before; null for the first"),
    ("to_version", "BIGINT", "version that it names now"),
    ("why", "STRING", "evidence, in words"),
    ("model_run", "STRING", "MLflow run that trained the version"),
)


RELEASES = _ops(
    "releases",
    "The versions at which all tables stand together, after a run that left nothing to be taken in.",
    "batch_id",
    "one row per run that changed a table and left none behind",
    ("run_id", "STRING", "run that made it"),
    ("batch_id", "STRING", "the release"),
    _AT,
    ("versions", "MAP<STRING, BIGINT>", "version of each table of bronze, silver and gold, by its name"),
)


TABLES = (ROW_LEDGER, GATE_RESULTS, FILES, SCHEMA_DRIFT, LINEAGE, PROFILES, RUNS, MODEL_MOVES, RELEASES)


def masked(job: str) -> str:
    """A command as `RUNS` has it, without the values that it was given to correct rows: they may be personal."""
    words = shlex.split(job)
    for index, word in enumerate(words):
        if index and words[index - 1] == "--set":
            words[index] = word.partition("=")[0] + "=..."
        elif word.startswith("--set="):
            words[index] = "=".join(word.split("=")[:2]) + "=..."
    return shlex.join(words)
