"""A made-up cluster on which the real loop runs: for looking around, tests and benchmarks."""
