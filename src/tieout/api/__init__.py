"""The HTTP edge: routes over the same actions as the command line."""
