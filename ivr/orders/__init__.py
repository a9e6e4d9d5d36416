"""Rules of work orders: who is to do them, and what they are told."""
