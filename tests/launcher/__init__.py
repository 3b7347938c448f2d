"""Bringing clusters up and down."""
