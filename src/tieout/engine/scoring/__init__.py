"""The scored pass: what evidence is worth, and which candidates are pairs."""
