"""The HTTP API for other systems: providers' own, a street office's platform."""
