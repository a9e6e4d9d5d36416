"""A meaning changing the conversation: state in, state and actions out. No I/O, no clock."""
