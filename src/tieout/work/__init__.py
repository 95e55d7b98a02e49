"""Durable work: jobs, schedules, the outbox, retries and circuit breakers."""
