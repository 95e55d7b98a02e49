"""The audit trail: who did what, before and after, from where; each tenant's events form a chain of hashes."""
