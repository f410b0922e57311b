"""Ports for servers that are started later."""

import random
import socket

LOWEST, END = 15_000, 32_000
CHOICE = random.SystemRandom()  # many processes choose at once


def find_free_port() -> int:
    """Find a port on which nobody listens, below those that the system gives to outgoing connections.

    Any other could be given to a connection before the server that is to have it has started.
    """
    while True:
        port = CHOICE.randrange(LOWEST, END)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
