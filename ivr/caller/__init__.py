"""A caller made of software: places real SIP calls to this site, speaks, listens, measures."""
