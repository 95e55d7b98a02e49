"""The reconciliation engine: SQL steps with contracts, and the runner that asserts them."""
