"""The command line: parse, call an action, render. No rule lives here."""
