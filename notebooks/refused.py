# Databricks notebook source
# MAGIC %md
# MAGIC # What was refused, and why
# MAGIC Every row that was delivered is somewhere: accepted, quarantined with its reasons, a duplicate, left out on
# MAGIC purpose, or folded into another. This notebook shows where, which rules refused, and what the gates said.

# COMMAND ----------

from jobs.notebook import opened
from jobs.steps import catalogued
from lakehouse.catalogue import pages
from serving import figures

reader, shop, currency = opened(dbutils)
print(f"Tables as they stood together on {reader.release.at:%Y-%m-%d %H:%M} UTC.")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What became of the rows on the way into silver
# MAGIC All batches so far, by the ledger. The account of each batch balances, or the run would have stopped.

# COMMAND ----------

outcomes = reader.frame(
    """
    SELECT "table", sum(rows_read)::BIGINT AS read, sum(rows_accepted)::BIGINT AS accepted,
           sum(rows_quarantined)::BIGINT AS quarantined, sum(rows_duplicate)::BIGINT AS duplicate,
           coalesce(sum(list_sum(map_values(rows_filtered))), 0)::BIGINT AS filtered, sum(rows_folded)::BIGINT AS folded
    FROM ops.row_ledger WHERE starts_with("table", 'silver.')
    GROUP BY ALL ORDER BY quarantined DESC, "table"
    """
)
display(outcomes.to_pandas())

# COMMAND ----------

refusing = outcomes.filter(outcomes["quarantined"] + outcomes["duplicate"] + outcomes["filtered"] > 0)
parts = {
    name: [100 * part / max(1, read) for part, read in zip(refusing[name], refusing["read"], strict=True)]
    for name in ("quarantined", "duplicate", "filtered")
}
display(figures.stacked(refusing["table"], parts, "What did not come into silver", "% of the rows read"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which rules refused
# MAGIC A row may break several. What was put right and delivered again is counted as resubmitted.

# COMMAND ----------

records = pages.collect(reader.lake, catalogued(), reader.lake.warehouse)
waiting = sorted(records.refused, key=lambda rule: -rule["rows"])
print(f"{sum(rule['rows'] - rule['resubmitted'] for rule in waiting):,} broken rules are not put right yet.")
if waiting:
    display(
        figures.bars(
            [f"{rule['table'].removeprefix('silver.')}: {rule['rule']}" for rule in waiting[:15]],
            [rule["rows"] for rule in waiting[:15]],
            "The rules that refuse most",
            "rows",
        )
    )

# COMMAND ----------

# MAGIC %md
# MAGIC ## For example
# MAGIC One refused row for each rule, as it came, but none of tables that may hold personal data: `shoplake quarantine
# MAGIC show TABLE` prints these.

# COMMAND ----------

for rule in [each for each in waiting if each["example"]][:10]:
    row = rule["example"]
    print(f"{rule['table']}, {row['file'] or 'no file'}:{row['line'] or '-'}")
    print(f"    {'; '.join(row['reasons'])}\n    {row['row']}\n")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What the gates said
# MAGIC A failed expectation blocks its batch: readers keep the version before, and the batch stays pending. A warning
# MAGIC is noted and lets it through.

# COMMAND ----------

verdicts = reader.frame(
    """
    SELECT count(DISTINCT batch_id) AS batches, count(*) AS expectations, count_if(passed)::BIGINT AS passed,
           count_if(NOT passed AND is_warning)::BIGINT AS warned,
           count_if(NOT passed AND NOT is_warning)::BIGINT AS failed
    FROM ops.gate_results
    """
)
display(verdicts.to_pandas())
display(
    reader.frame(
        """
        SELECT "at", "table", if(is_warning, 'warned', 'blocked') AS verdict, says, failing_rows, observed
        FROM ops.gate_results WHERE NOT passed ORDER BY is_warning, "at" DESC, "table" LIMIT 30
        """
    ).to_pandas()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What two tables state differently
# MAGIC An order's total, its lines and its payments come in files of their own. What does not agree now:

# COMMAND ----------

for each in records.found:
    print(f"{each.reconciliation}: {each.findings:,} findings; {each}")
    for example in each.largest:
        print(f"    {example.key}: {example.finding}")
