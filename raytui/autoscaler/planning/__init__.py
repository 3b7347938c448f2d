"""What to launch and what to remove now, and why: pure functions of what is known."""
