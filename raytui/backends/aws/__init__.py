"""Clusters on AWS: instances as machines, and what they need before they can be launched."""
