"""The books: what is reconciled against what, declared on one engine."""
