"""What a recogniser makes of every phrase, found out by speaking to it."""
