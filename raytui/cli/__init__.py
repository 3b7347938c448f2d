"""The command line: one file a group; heavy imports stay inside the commands."""
