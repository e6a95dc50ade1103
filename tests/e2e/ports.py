"""Ports for test networks: below those that the kernel gives to outgoing connections, and each reserved while it is used.

A reservation is a bound socket with an abstract name, which is seen by every process that could take the same port and by no
other (both belong to the network namespace), and ends with its owner however that ends. The C unit tests keep to it as well
(tests/lib/listen_port.h).
"""
import pathlib
import random
import socket

STEP = 10  # ports of one node: assay testnet's own, so that a node may take another port without leaving its share
LOWEST = 10000  # whoever has a well-known port keeps it
RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
NAME = "\0assay-ports-{}"


def highest():
    """The first port that an outgoing connection may be given."""
    return int(RANGE.read_text().split()[0])


class Ports:
    """`nodes` times STEP ports from `base` on, for one network alone until they are closed."""

    def __init__(self, nodes=1):
        places = range(LOWEST, highest() - STEP * nodes, STEP)
        for base in random.sample(places, len(places)):
            self.base, self.held = base, []
            if all(self.take(base + STEP * i) for i in range(nodes)):
                return
            self.close()
        raise RuntimeError(f"no {STEP * nodes} ports in a row are free between {LOWEST} and {highest()}")

    def take(self, first):
        """Reserves the ports of one node, unless somebody has reserved them or listens there."""
        mark = socket.socket(socket.AF_UNIX)
        self.held.append(mark)
        try:
            mark.bind(NAME.format(first))
            for port in range(first, first + STEP):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

    def close(self):
        for mark in self.held:
            mark.close()
        self.held = []
