"""Adapters to a running Ray cluster. No policy; the only room that imports ray."""
