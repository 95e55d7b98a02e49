"""The book made on the fly: any two files, one leg, a plan inferred from their content."""

BOOK = "compare"
"""What runs of the book are recorded under."""
