"""Planning, recording, acting and explaining: what the project exists for."""
