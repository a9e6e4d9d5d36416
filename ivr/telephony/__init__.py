"""Frames, clocks and the questions of the dialplan; nothing of words."""
