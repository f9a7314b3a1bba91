"""The trials of an experiment as a table: filtered, sorted, and read column by column."""
