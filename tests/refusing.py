"""A program's beginning that forbids it the network, and says what it wanted there."""

REFUSE_NETWORK = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        os.write(1, f"{event} {arguments}".encode())  # it may be a forked child that reports
        raise ConnectionError(event)

sys.addaudithook(refuse)
"""
