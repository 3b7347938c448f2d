"""What monitoring reads: counts and durations of the daemon, Ray's series and our own, health."""
