"""Tenants, access, flags, audit: what every book runs under."""
