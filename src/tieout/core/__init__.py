"""What every other room stands on: money, errors, settings, ids, progress."""
