"""Jobs: accepted with the change that asks for them, done in micro-batches, each effect once."""
