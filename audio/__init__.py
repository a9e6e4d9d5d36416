"""Sound: recognisers, synthesisers, voice activity, codecs. Knows nothing of services or calls."""
