"""The screens in a browser on this machine: who may come in, what is served, and its programs."""
