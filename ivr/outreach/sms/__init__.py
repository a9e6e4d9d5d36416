"""Text messages out of the house and into it: gateways, what is written, how it is answered."""
