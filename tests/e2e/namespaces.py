"""A network whose nodes live in network namespaces of their own, so that links between machines can really be cut.

    validator i: 10.77.i.2 --- veth --- 10.77.i.1 hub

Nothing of it is in the machine's own namespace. The hub forwards; a cut is a rule there that swallows what comes from one
validator for another, without telling either. HTTP stays on each node's own loopback, so whoever asks a node steps inside first.
"""
import contextlib
import ctypes
import itertools
import os
import pathlib
import subprocess

from net import BIN, PATIENCE, Net, Node

CLONE_NEWNET = 0x40000000
NUMBERS = itertools.count()  # networks of one process, each with namespaces of its own
LIBC = ctypes.CDLL(None, use_errno=True)


def ip(*args):
    done = subprocess.run(["ip", *args], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(args)}: {done.stderr.strip()}")


def why_not():
    """Why namespaces can't be had here; None when they can."""
    name = f"assay-try-{os.getpid()}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no network namespaces: {error}"
    try:
        ip("-n", name, "rule", "add", "from", "10.77.0.2", "blackhole")
        return None
    except OSError as error:
        return f"no policy routing: {error}"
    finally:
        ip("netns", "del", name)


def set_namespace(path):
    with open(path, "rb") as file:
        if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


@contextlib.contextmanager
def inside(namespace):
    """Sockets that this thread opens meanwhile are in the namespace."""
    with open("/proc/thread-self/ns/net", "rb") as own:
        set_namespace(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            if LIBC.setns(own.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")


class FarNode(Node):
    def __init__(self, net, name, index):
        super().__init__(net, name, index)
        self.index = index
        self.namespace = f"{net.prefix}-{index}"
        self.address = f"10.77.{index}.2"

    def command(self, *args):
        """A command line that runs where the node is; the process is the program itself, not a wrapper of it."""
        return ["ip", "netns", "exec", self.namespace, *map(str, args)]

    def start(self, wait=True):
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(BIN / "assayd", "--home", self.home), stdout=subprocess.PIPE,
                                            stderr=log)
        if wait:
            self.wait_ready()

    def get(self, path, timeout=30):
        with inside(self.namespace):
            return super().get(path, timeout)

    def get_bytes(self, path, timeout=60, headers=None):
        with inside(self.namespace):
            return super().get_bytes(path, timeout, headers)


class FarNet(Net):
    node_class = FarNode

    def __init__(self, validators=4):
        self.prefix = f"assay{os.getpid()}-{next(NUMBERS)}"
        self.hub = f"{self.prefix}-hub"
        self.made = []
        super().__init__(validators, gateways=0)
        try:
            self.connect()
            self.move_addresses()
        except BaseException:
            self.close()
            raise

    def connect(self):
        for name in (self.hub, *(node.namespace for node in self.nodes)):
            ip("netns", "add", name)
            self.made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        subprocess.run(["ip", "netns", "exec", self.hub, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True,
                       timeout=20)
        for node in self.nodes:
            ip("link", "add", "eth0", "netns", node.namespace, "type", "veth", "peer", "name", f"to{node.index}", "netns", self.hub)
            ends = ((node.namespace, "eth0", node.address), (self.hub, f"to{node.index}", f"10.77.{node.index}.1"))
            for name, link, address in ends:
                ip("-n", name, "address", "add", f"{address}/24", "dev", link)
                ip("-n", name, "link", "set", link, "up")
            ip("-n", node.namespace, "route", "add", "default", "via", f"10.77.{node.index}.1")

    def move_addresses(self):
        """`assay testnet` lays out loopback addresses: here, each validator listens for its peers on its own."""
        for path in (self.genesis, *(node.home / name for node in self.nodes for name in ("genesis.json", "assay.conf"))):
            text = path.read_text()
            for node in self.nodes:
                old = f"127.0.0.1:{node.peer_port}"
                new = f"{node.address}:{node.peer_port}"
                text = text.replace(f'"{old}"', f'"{new}"').replace(f"listen = {old}\n", f"listen = {new}\n")
            path.write_text(text)

    def cut(self, senders, receivers):
        """Swallows what `senders` send to `receivers`; the other direction goes on."""
        for a in senders:
            for b in receivers:
                ip("-n", self.hub, "rule", "add", "from", a.address, "to", b.address, "priority", "100", "blackhole")

    def part(self, left, right):
        self.cut(left, right)
        self.cut(right, left)

    def heal(self):
        while True:
            try:
                ip("-n", self.hub, "rule", "del", "priority", "100")
            except OSError:
                return

    def close(self):
        super().close()
        for name in reversed(self.made):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                ip("netns", "del", name)
        self.made = []


class FarLoad:
    """`assay bench tx` beside one node, always running; remembers what was reported final there."""

    def __init__(self, net, node, seconds, workers=2):
        self.node = node
        self.final_file = pathlib.Path(net.root / f"final-{node.name}")
        self.process = subprocess.Popen(
            node.command(BIN / "assay", "bench", "tx", "--node", node.url, "--key", net.key("author-acme-1"), "--seconds", PATIENCE * seconds,
                         "--workers", workers, "--log-final", self.final_file, "--json"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def final(self):
        """(transaction id, height) of everything reported final so far."""
        if not self.final_file.exists():
            return []
        lines = [line.split() for line in self.final_file.read_text().splitlines()]
        return [(line[0], int(line[1])) for line in lines if len(line) == 2]

    def running(self):
        return self.process.poll() is None

    def final_so_far(self):
        """How many; whoever waits for more hears why the load has ended."""
        if not self.running():
            raise AssertionError(f"the load beside {self.node.name} ended: {self.process.stderr.read().decode()[-1000:]}")
        return len(self.final())

    def stop(self):
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE * 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
