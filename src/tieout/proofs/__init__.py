"""Proofs: what was published is sealed in an append-only log, so that a third party can verify any figure offline."""
