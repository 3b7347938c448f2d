"""From machines to nodes: which provider has them, what their set-up takes, and doing it."""
