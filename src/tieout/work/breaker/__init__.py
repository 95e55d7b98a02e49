"""Circuit breakers of integrations, one state for all workers."""
