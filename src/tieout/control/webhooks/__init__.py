"""Endpoints of tenants: where their events go, what signs them, and what became of each delivery."""
