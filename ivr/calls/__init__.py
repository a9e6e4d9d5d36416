"""One call from ring to end: the only place where sound, conversation and store meet."""
