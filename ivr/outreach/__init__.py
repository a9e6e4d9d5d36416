"""Promises to call: people who are owed a call are dialled, whatever else is running."""
