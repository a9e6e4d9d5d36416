"""A text becoming a meaning: grammar and sounds, no I/O, no clock but the one passed in."""
