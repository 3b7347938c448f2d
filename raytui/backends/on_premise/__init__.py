"""Machines that are there already, reached by SSH: `provider.type: local`, on the head."""
