"""The agent: telephony, dialogue, understanding and the loop of one call."""
