"""The loop as a process: its thread, its lock, its log, its control socket."""
