"""Schedules: what runs when, each time once however many schedulers there are, and a record of how late it was."""
