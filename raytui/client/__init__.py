"""How a terminal reaches a cluster: the daemon, or a simulated one."""
