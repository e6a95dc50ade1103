"""Nodes whose wall clocks a test sets while they run (wallclock.c), each by itself or all together."""
import os
import pathlib
import shlex
import struct
import subprocess
import time

import net as networks
from net import BIN

SOURCE = pathlib.Path(__file__).with_name("wallclock.c")


class Clock:
    """A wall clock, as far ahead of the true one as was said last."""

    def __init__(self, path):
        self.path, self.ahead_s = path, 0
        path.write_bytes(bytes(8))

    def set(self, ahead_s):
        self.ahead_s = ahead_s
        with open(self.path, "r+b", buffering=0) as file:  # in place: nodes have it mapped
            file.write(struct.pack("=q", round(1000 * ahead_s)))

    def now_ms(self):
        return int(1000 * (time.time() + self.ahead_s))


class ClockedNode(networks.Node):
    def start(self, wait=True):
        env = dict(os.environ, LD_PRELOAD=str(self.net.preloaded()), WALLCLOCK=str(self.net.clock_of(self).path))
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(self.home)], env=env, stdout=subprocess.PIPE,
                                            stderr=log)
        if wait:
            self.wait_ready()


class ClockedNet(networks.Net):
    """All nodes go by one clock."""

    node_class = ClockedNode

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.clock = Clock(self.root / "clock")

    def clock_of(self, _):
        return self.clock

    def preloaded(self):
        library = self.root / "wallclock.so"
        if not library.exists():
            subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O2", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
        return library

    def pass_time(self, seconds):
        self.clock.set(self.clock.ahead_s + seconds)

    def now_ms(self):
        return self.clock.now_ms()
