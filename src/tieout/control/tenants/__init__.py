"""Tenants: who asks to become one, who is one, and which modules they have."""
