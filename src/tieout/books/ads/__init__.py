"""The ads book: what networks say that they paid, against paid impressions and auction receipts."""
