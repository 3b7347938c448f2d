"""The words of raytui: frozen, without I/O, shared by every room."""
