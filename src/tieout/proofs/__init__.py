"""Proofs: what was published, as an append-only log that anybody can check offline."""
