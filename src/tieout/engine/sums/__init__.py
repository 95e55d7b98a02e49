"""The pass that finds sums: one row of a side that several of the other make up, without a key that says so."""
