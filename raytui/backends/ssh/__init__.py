"""Machines reached by SSH: one checked connection per host, commands, files and ports over it."""
