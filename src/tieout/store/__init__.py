"""Where things are kept: received files, the facts of runs, and the state that points to them."""
