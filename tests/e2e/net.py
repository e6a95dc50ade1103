"""A network of real processes for the end-to-end tests and the demonstration.

Everything is on loopback, on ports of its own (ports.py); what is started is stopped by its process id.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from ports import STEP, Ports

BIN = pathlib.Path(os.environ.get("ASSAY_BIN", pathlib.Path(__file__).resolve().parents[2] / "build" / "bin"))
CLASS = "acme.example/thermostat"
FAILED, WRONG, LOOK = 1, 2, 3  # exit statuses of assayd (node/host/exit_status.h)


# How much longer than on a quiet machine a wait may take: tests wait for events, and a busy machine is no fault of theirs.
PATIENCE = 10
LONG = os.environ.get("E2E_LONG") == "1"  # `make check-long`: storms last


class Refused(Exception):
    """A command that exited 1: its one line on stderr."""


def figure(text):
    """Something measured, for whoever reads the log; nothing passes or fails by it."""
    print(text)
    if "ASSAY_FIGURES" in os.environ:
        with open(os.environ["ASSAY_FIGURES"], "a") as file:
            file.write(text + "\n")


def run(program, *args, check=True, timeout=60, **kwargs):
    """Runs a program of ours to its end; gives (exit status, stdout, stderr)."""
    done = subprocess.run([str(BIN / program), *map(str, args)], capture_output=True, text=True, timeout=PATIENCE * timeout,
                          **kwargs)
    if check and done.returncode != 0:
        raise Refused(f"{program} {' '.join(map(str, args))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.returncode, done.stdout, done.stderr


def told_to_wait(status, err):
    """The network is overloaded for the moment, and says so."""
    return status == 1 and "MEMPOOL_FULL" in err


def assayd(home):
    """Runs a node that is expected to end by itself; gives (exit status, what it logged)."""
    status, _, err = run("assayd", "--home", home, check=False)
    return status, err


def assay(*args, **kwargs):
    """A command's output; beside a load it comes back when it is told to, as a client would."""
    def tried():
        status, out, err = run("assay", *args, check=False, **kwargs)
        if status != 0 and not told_to_wait(status, err):
            raise Refused(f"assay {' '.join(map(str, args))}: exit {status}: {err.strip()}")
        return status == 0 and (out,)
    return wait_for(f"assay {args[0]} to be let in", tried, every=0.2)[0]


def assay_json(*args, **kwargs):
    return json.loads(assay(*args, "--json", **kwargs))


def refused(*args, timeout=60):
    """The one line with which a command refuses; fails the test when it does not."""
    status, out, err = run("assay", *args, check=False, timeout=timeout)
    assert status == 1, f"expected a refusal, got exit {status}: {out}{err}"
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, f"expected one line, got: {err!r}"
    return lines[0]


def wait_for(what, condition, seconds=20, every=0.02):
    """Polls an observable condition, PATIENCE times as long as it should take; gives its truthy value."""
    end = time.monotonic() + PATIENCE * seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {PATIENCE * seconds} s: {what}")
        time.sleep(every)


class Node:
    def __init__(self, net, name, index):
        self.net = net
        self.name = name
        self.home = net.dir / name
        self.peer_port = net.base + STEP * index
        self.url = f"http://127.0.0.1:{self.peer_port + 1}"
        self.process = None

    def start(self, wait=True):
        log = open(self.home / "log", "ab")
        self.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(self.home)], stdout=subprocess.PIPE, stderr=log)
        log.close()
        if wait:
            self.wait_ready()

    def wait_ready(self):
        line = self.process.stdout.readline().decode()
        if not line.startswith("ready"):
            raise AssertionError(f"{self.name} did not get ready: {self.log()[-2000:]}")

    def pid(self):
        return self.process.pid

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def stop(self):
        """A clean stop; gives the exit status."""
        self.process.terminate()
        status = self.process.wait(PATIENCE * 20)
        self.process.stdout.close()
        self.process = None
        return status

    def pause(self):
        os.kill(self.pid(), signal.SIGSTOP)

    def resume(self):
        os.kill(self.pid(), signal.SIGCONT)

    def log(self):
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def get(self, path, timeout=30):
        with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
            return json.loads(answer.read())

    def get_bytes(self, path, timeout=60, headers=None):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers or {}), timeout=timeout) as a:
            return a.read()

    def status(self):
        try:
            return self.get("/v1/status", timeout=5)
        except (urllib.error.URLError, OSError):
            return None

    def height(self):
        status = self.status()
        return status["height"] if status else -1

    def rss_mb(self):
        for line in pathlib.Path(f"/proc/{self.pid()}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0


class Net:
    """n validators and gateways made by `assay testnet`, run as children of this process."""

    node_class = Node

    def __init__(self, validators=4, gateways=1, spare=0, **options):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="assay-net-"))
        self.dir = self.root / "net"
        self.ports = Ports(validators + gateways + spare)  # nodes that join later take the spare ones
        self.base = self.ports.base
        extra = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        try:
            assay("testnet", "--dir", self.dir, "--validators", validators, "--gateways", gateways, "--base-port", self.base,
                  *extra)
        except BaseException:
            self.ports.close()
            shutil.rmtree(self.root, ignore_errors=True)
            raise
        self.validators = [self.node_class(self, f"validator{i}", i) for i in range(validators)]
        self.gateways = [self.node_class(self, f"gateway{i}", validators + i) for i in range(gateways)]
        self.nodes = self.validators + self.gateways

    def start(self, nodes=None):
        nodes = self.nodes if nodes is None else nodes
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait_ready()
        return self

    def close(self):
        for node in self.nodes:
            node.kill()
        self.ports.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def key(self, name):
        return self.dir / "keys" / f"{name}.key"

    @property
    def genesis(self):
        return self.dir / "genesis.json"

    def image(self, name, data):
        path = self.root / name
        path.write_bytes(data)
        return path

    def publish(self, image, version="1.0.0", node=None, key="author-acme-1", **options):
        extra = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        return assay_json("release", "publish", "--node", (node or self.validators[0]).url, "--key", self.key(key), "--class",
                          CLASS, "--version", version, *extra, image)

    def push(self, release_id, device=None, node=None, window="10m", max_failed=3):
        target = ["--device", device] if device else ["--class", CLASS]
        return assay_json("update", "push", "--node", (node or self.validators[0]).url, "--key", self.key("author-acme-1"),
                          "--release", release_id, *target, "--window", window, "--max-failed", max_failed)

    def decide_params(self, **params):
        """One organisation proposes, others vote until the parameters have changed."""
        sets = [part for name, value in params.items() for part in ("--set", f"{name}={value}")]
        url = self.validators[0].url
        proposal = assay_json("proposal", "new", "set-params", *sets, "--org", "acme", "--key", self.key("admin-acme"), "--node",
                              url)["proposal_id"]
        for org in ("globex", "mirror"):
            assay("proposal", "vote", proposal, "yes", "--org", org, "--key", self.key(f"admin-{org}"), "--node", url)

    def device_id(self, name="device-1"):
        return json.loads(assay("key", "show", self.key(name), "--json"))["public_key"]

    def wait_height(self, height, nodes=None, seconds=20):
        for node in nodes or self.validators:
            wait_for(f"{node.name} at height {height}", lambda n=node: n.height() >= height, seconds)

    def wait_equal(self, nodes=None, seconds=20):
        """All at one height with one state root."""
        nodes = nodes or self.validators

        def equal():
            heads = [node.status() for node in nodes]
            return all(heads) and len({(h["height"], h["state_root"]) for h in heads}) == 1 and heads[0]
        return wait_for("equal state roots", equal, seconds)

    def blocks_agree(self, nodes=None):
        """Every block that two nodes have is the same block."""
        nodes = nodes or self.validators
        top = min(node.height() for node in nodes)
        for height in range(0, top + 1):
            hashes = {node.get(f"/v1/blocks/{height}")["hash"] for node in nodes}
            assert len(hashes) == 1, f"fork at height {height}: {hashes}"
        return top
