"""SQL for BI tools: Spark's Thrift server over one release of gold, silver and ops. It alone of serving runs Spark."""
