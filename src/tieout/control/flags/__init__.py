"""Flags: what is switched on, for all tenants or for one, until when; through OpenFeature."""
