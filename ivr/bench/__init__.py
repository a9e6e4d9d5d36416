"""A load of real calls: simulated people telephone this site, and it is measured what they get."""
