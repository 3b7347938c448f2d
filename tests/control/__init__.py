"""The control protocol, the daemon behind it and the client before it."""
