"""The network as its operators would run it (assay up, assay down), and devices."""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

import net as networks
from net import CLASS, assay, assay_json, run


class Daemon(networks.Node):
    """A node in the background; its process is known by its pid file."""

    def pid(self):
        return int((self.home / "pid").read_text())

    def alive(self):
        try:
            return str(self.home).encode() in pathlib.Path(f"/proc/{self.pid()}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False

    def kill(self):
        """As a power cut would: kill -9. One that does not run stays so."""
        if not self.alive():
            return
        os.kill(self.pid(), signal.SIGKILL)
        networks.wait_for(f"{self.name} gone", lambda: not self.alive(), 5)

    def start(self, wait=True):
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([str(networks.BIN / "assayd"), "--home", str(self.home)], stderr=log,
                                            start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        (self.home / "pid").write_text(f"{self.process.pid}\n")
        if wait:
            networks.wait_for(f"{self.name} to serve again", self.status, 20)

    def post(self, path, body, timeout=30):
        request = urllib.request.Request(self.url + path, data=body, method="POST",
                                         headers={"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())


class Network(networks.Net):
    node_class = Daemon

    def up(self):
        """Starts everything; gives the seconds until all were ready."""
        began = time.monotonic()
        assay("up", "--dir", self.dir, timeout=40)
        return time.monotonic() - began

    def linked(self):
        """Is every validator linked with every other?"""
        heads = [node.status() for node in self.validators]
        return all(heads) and all(peer["up"] for head in heads for peer in head["peers"])

    def down(self):
        if any(node.alive() for node in self.nodes):
            assay("down", "--dir", self.dir, timeout=60)

    def follow(self, gateway, *urls):
        """Makes a gateway that has not started yet follow these full nodes."""
        conf = gateway.home / "assay.conf"
        lines = [f"sources = {','.join(urls)}" if line.startswith("sources ") else line
                 for line in conf.read_text().splitlines()]
        conf.write_text("\n".join(lines) + "\n")

    def update(self, update_id, node=None):
        return assay_json("update", "show", update_id, "--node", (node or self.validators[0]).url)

    def history(self, update_id):
        return assay_json("update", "show", update_id, "--history", "--node", self.validators[0].url)["history"]


class Device:
    """One assay-device with a home of its own, registered by its gateway unless it is in the genesis. Each of its two
    slots holds `slot` bytes of image."""

    def __init__(self, net, name, key=None, gateway=None, slot=1 << 20):
        self.net = net
        self.name = name
        self.home = net.root / name
        gateway = gateway or net.gateways[0]
        self.gateway = gateway.url
        self.key = net.key(key) if key else net.root / f"{name}.key"
        if key is None:
            assay("key", "new", self.key)
            assay("device", "register", self.key, "--class", CLASS, "--node", net.validators[0].url, "--key",
                  gateway.home / "node.key")
        self.id = assay_json("key", "show", self.key)["public_key"]
        self.run(self.gateway, "init", "--genesis", net.genesis, "--key", self.key, "--class", CLASS, "--slot-size", slot)

    def run(self, gateway, *args, **kwargs):
        return run("assay-device", "--home", self.home, "--gateway", gateway, *args, **kwargs)

    def once(self, via=None, timeout=30):
        """One check for an update, carried to its end: (exit status, what it said). `via`: through this proxy."""
        try:
            status, out, err = self.run(via.url if via else self.gateway, "once", check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the {self.name} was not done after {timeout} s; its state: {self.state()}") from None
        lines = (err.strip() or out.strip()).splitlines()
        return status, lines[-1].removeprefix("assay-device: ") if lines else ""

    def state(self):
        return json.loads(self.run(self.gateway, "status", "--json")[1])

    def runs(self):
        return self.state()["sequence"]

    def until(self, wanted, what, via=None, seconds=30):
        """Checks again and again, as a device does, until wanted(status, said) holds; gives what it said then."""
        said = []

        def polled():
            said[:] = self.once(via)
            return wanted(*said)
        try:
            networks.wait_for(what, polled, seconds, every=0.05)
        except AssertionError as late:
            raise AssertionError(f"{late}; {self.name} said last: {said[1] if said else 'nothing'}") from None
        return said[1]

    def install(self, sequence, via=None, seconds=40):
        """Until that release runs; gives the seconds it took."""
        began = time.monotonic()
        self.until(lambda status, said: self.runs() == sequence, f"{self.name} runs sequence {sequence}", via, seconds)
        return time.monotonic() - began
