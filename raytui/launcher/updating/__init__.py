"""Make a machine a node: what its set-up takes, and doing it step by step, on many at once."""
