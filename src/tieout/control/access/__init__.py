"""Who may do what: users, roles, tokens, API keys."""
