"""A machine of a Kubernetes cluster that runs pods for real: containers are process groups here.

Each pod has a network namespace with an address of its own on a private bridge 10.78.N.0/24; each
container its own root (this machine's files, with all changes kept apart and thrown away), /tmp,
/dev/shm, host name and process ids. Images, users and resource limits are not there: a container
has this machine's programs, those of the tests' own environment first.
"""
