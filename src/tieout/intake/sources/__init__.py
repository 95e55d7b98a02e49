"""Named streams of statements: files are loaded into a source, and its current rows are a side to compare."""
