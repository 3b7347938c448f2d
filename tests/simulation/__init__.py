"""Deterministic simulation: the real loop in a made-up world full of faults, seed by seed."""
