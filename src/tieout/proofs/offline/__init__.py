"""What a third party runs: it imports nothing of ours, and nothing beyond the standard library."""
