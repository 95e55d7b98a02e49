"""What can be done: each loads, decides, saves and records in one transaction."""
