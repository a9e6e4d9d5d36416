"""Whether anybody speaks SIP at an address."""

from __future__ import annotations

import random
import socket


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Asks with an OPTIONS request over UDP; any answer counts, also a refusal. Blocking."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(timeout_s)
        try:
            asking.connect((host, port))
        except OSError:  # no such host, or no way there
            return False
        own = "{}:{}".format(*asking.getsockname())
        tag = f"{random.getrandbits(64):x}"
        asking.send(
            f"OPTIONS sip:{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{tag};rport\r\n"
            f"From: <sip:ready@{own}>;tag={tag}\r\nTo: <sip:{host}>\r\n"
            f"Call-ID: {tag}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:{own}>\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
        )
        try:
            return asking.recv(2048).startswith(b"SIP/2.0")
        except (TimeoutError, ConnectionRefusedError):
            return False
