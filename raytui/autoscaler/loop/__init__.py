"""Observe, plan, record, act: one round after another, with everything on disk first."""
