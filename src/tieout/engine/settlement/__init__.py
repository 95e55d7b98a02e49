"""The pass that applies payments to open invoices: by advice, by party and by exact sums."""
