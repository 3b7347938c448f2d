"""raytui: launch, watch, scale and explain Ray clusters from a terminal."""

__version__ = "0.1.0"
