"""Bring a cluster up and take it down, every step visible."""
