#!/usr/bin/env python3
"""Distance between network namespaces, where the kernel has no netem: every packet between two nodes passes through this
program, which holds it back for a while, and may lose it.

    to1, to2, ... --- rule: from any of them, by table 77 --- tun0 --- this program --- tun0 --- main table --- to1, to2, ...

`distance.py DELAY_MS LOST_PER_MILLE` runs in the hub's namespace until its standard input ends. What goes on between the two
nodes, TCP's acknowledgements too, is delayed as on a long line; nothing is reordered.
"""
import collections
import contextlib
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

import namespaces

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
PACKET_MAX = 65536


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    return tun


def carry(tun, delay, lost):
    """Packets come out of `tun` as long after they went in."""
    held = collections.deque()
    chance = random.Random(1)
    poll = select.poll()
    poll.register(tun, select.POLLIN)
    poll.register(sys.stdin.fileno(), select.POLLIN)
    print("carries", flush=True)
    while True:
        wait = max(0.0, held[0][0] - time.monotonic()) * 1000 if held else None
        for fd, _ in poll.poll(wait):
            if fd != tun:
                return
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(tun, PACKET_MAX)
                    if chance.randrange(1000) >= lost:
                        held.append((time.monotonic() + delay, packet))
        now = time.monotonic()
        while held and held[0][0] <= now:
            os.write(tun, held.popleft()[1])


class DistantNet(namespaces.FarNet):
    """Every way from one validator to another takes `delay_ms`, and of 1,000 packets `lost` are lost."""

    def __init__(self, validators, delay_ms, lost=0):
        self.delay_ms = delay_ms
        self.lost = lost
        self.relay = None
        super().__init__(validators)

    def in_hub(self, *args):
        return ["ip", "netns", "exec", self.hub, *map(str, args)]

    def connect(self):
        super().connect()
        self.relay = subprocess.Popen(self.in_hub(sys.executable, os.path.abspath(__file__), self.delay_ms, self.lost),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.relay.stdout.readline() != "carries\n":
            raise OSError("no tun device")
        for name in ("all", "default", "tun0"):
            subprocess.run(self.in_hub("sh", "-c", f"echo 0 > /proc/sys/net/ipv4/conf/{name}/rp_filter"), check=True, timeout=20)
        namespaces.ip("-n", self.hub, "route", "add", "default", "dev", "tun0", "table", "77")
        for node in self.nodes:
            subprocess.run(self.in_hub("sh", "-c", f"echo 0 > /proc/sys/net/ipv4/conf/to{node.index}/rp_filter"), check=True,
                           timeout=20)
            namespaces.ip("-n", self.hub, "rule", "add", "iif", f"to{node.index}", "to", "10.77.0.0/16", "priority", "200", "table", "77")

    def close(self):
        if self.relay is not None:
            self.relay.stdin.close()
            self.relay.wait(20)
            self.relay.stdout.close()
            self.relay = None
        super().close()


def main():
    delay_ms, lost = sys.argv[1:]
    tun = open_tun("tun0")
    subprocess.run(["ip", "link", "set", "tun0", "up"], check=True, timeout=20)
    carry(tun, float(delay_ms) / 1000, int(lost))


if __name__ == "__main__":
    main()
