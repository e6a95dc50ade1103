#!/usr/bin/env python3
"""Real firmware from its author to running devices over a real ledger, and what is refused on the way, and why.

Run by `make demo`. Exits 0 only when every expectation held. KEEP=1 leaves the network up and says what to open.
"""
import hashlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
from http.client import HTTPException

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
sys.dont_write_bytecode = True

import images  # noqa: E402
from middle import ImageChanger, LyingFullNode, Recorder  # noqa: E402
from net import BIN, CLASS, Refused, assay, assay_json, refused, wait_for  # noqa: E402
from network import Device, Network  # noqa: E402
from show import Show, seconds, size  # noqa: E402

KEEP = os.environ.get("KEEP", "") not in ("", "0")
LONGEST_S = 240  # for everything after the images are here
SAMPLES = 20     # of each response time


GETTER = "P0: 91 ms (ganache), 7 s (Ropsten)"
FLAT = "P1: flat, 1 to 10,000 transactions (fig. 9)"
PAPER = {
    "push, final": "P0: 63 s (Ropsten); " + FLAT,
    "verify, final": FLAT,
    "query": FLAT,
    "latest release": GETTER,
    "latest release, with proof": GETTER + ", no proof",
}


class Demonstration:
    def __init__(self):
        self.show = Show()
        self.net = None
        self.liar = None
        self.url = ""  # of the validator that commands go to
        self.small = self.large = b""
        self.releases = {}
        self.victim = None
        self.while_dead = []  # seconds until final, with one validator dead

    # ---- Small steps ------------------------------------------------------------------------------------------------

    def publish(self, image, version, **options):
        """Publishes through the vendor's own validator; tells how long it took."""
        path = self.net.image(f"acme-{version}.bin", image)
        began = time.monotonic()
        release = self.net.publish(path, version, **options)
        took = time.monotonic() - began
        self.releases[version] = release
        self.note_final(took)
        self.show.event(f"published {version}: sequence {release['sequence']}, {size(release['size'])}, final at "
                        f"height {release['height']} after {seconds(took)}, {release['cid']}")
        return release, took

    def push(self, version, device, **options):
        release = self.releases[version]
        began = time.monotonic()
        update = self.net.push(release["release_id"], device=device.id, **options)
        took = time.monotonic() - began
        self.note_final(took)
        window = options.get("window", "60s")
        self.show.event(f"pushed {version} to the {device.name} (window {window}, 3 attempts): on the ledger at "
                        f"height {update['height']} after {seconds(took)}")
        return update["update_id"]

    def note_final(self, took):
        if self.victim is not None and not self.victim.alive():
            self.while_dead.append(took)

    def verify(self, device, update_id, version):
        """Says with the device's key, but past it: here is the right digest."""
        return assay_json("update", "verify", "--node", self.url, "--key", device.key, "--update", update_id,
                          "--digest", self.releases[version]["sha256"])

    def on_ledger(self, update_id):
        """The device's status record, in an update to one device."""
        return self.net.update(update_id)["devices"][0]

    def tell_history(self, update_id):
        for entry in self.net.history(update_id):
            if not entry["detail"] and entry["action"] == "push":
                continue  # the same, as the device's own record has it
            by = "" if entry["signer"] else " (by itself: nobody sent anything)"
            self.show.event(f"height {entry['height']}: {entry['action']} {entry['detail']}".rstrip() + by, "|")

    def keeps_running(self, device, before, why=""):
        after = device.state()
        same = all(after[key] == before[key] for key in ("sequence", "digest", "slot"))
        self.show.expect(same and after["state"] != "armed",
                         f"the {device.name} keeps running sequence {before['sequence']}", why)

    def scene(self, play, vital=False):
        """Plays one; what goes wrong in it is one expectation that did not hold."""
        try:
            play()
        except (AssertionError, Refused, OSError, RuntimeError, LookupError, ValueError, subprocess.SubprocessError,
                HTTPException) as wrong:
            name = play.__name__.replace("_", " ")
            self.show.fail(f"{name}: {type(wrong).__name__}: {' '.join(str(wrong).split())[:400]}")
            if vital:
                raise SystemExit(1) from None

    # ---- 1 and 2: images, network -----------------------------------------------------------------------------------

    def real_images(self):
        self.show.act("1  Real firmware, from Debian's packages")
        small, large = images.fetch(BIN.parent / "demo-images")
        for name, how, data in (small, large):
            self.show.event(f"{name}: {size(len(data))}, {how}, sha256 {hashlib.sha256(data).hexdigest()[:16]}...")
        self.small, self.large = small[2], large[2]
        self.show.expect(len(self.large) > 10_000_000, "the large image is of more than 10 MB")
        self.show.restart()

    def a_network(self):
        self.show.act("2  A ledger of four validators, and two gateways that only follow it")
        self.net = Network(validators=4, gateways=2)
        first, second = self.net.gateways
        self.url = self.net.validators[0].url
        self.liar = LyingFullNode(self.url)
        self.liar.__enter__()
        self.net.follow(second, self.liar.url, self.url, self.net.validators[2].url)
        took = self.net.up()
        began = time.monotonic() - took
        wait_for("links between all validators", self.net.linked)
        linked = time.monotonic() - began
        status = self.net.validators[0].status()
        self.show.event(f"chain {status['chain_id'][:16]}..., {len(self.net.nodes)} processes ready after "
                        f"{seconds(took)}, linked with each other after {seconds(linked)}")
        self.show.row("network of 4 validators up, linked", seconds(linked),
                      "P0: contract deployed after 103 s (Ropsten)")

    # ---- 3 and 4: from author to device -----------------------------------------------------------------------------

    def a_release_with_a_proof(self):
        self.show.act("3  A release, and a proof that anyone can check offline")
        release, took = self.publish(self.small, "1.0.0")
        self.show.row(f"a {size(len(self.small))} release, stored and final", seconds(took),
                      "P0: transaction confirmed after 63 s (Ropsten)")
        proof = self.net.root / "proof"
        node = self.net.validators[2]
        wait_for("the release on another validator", lambda: node.height() >= release["height"])
        assay("release", "latest", "--node", node.url, "--class", CLASS, "--proof", proof)
        said = assay("proof", "verify", "--genesis", self.net.genesis, proof).strip().splitlines()[0]
        self.show.expect(said.startswith("yes"),
                         f"proof of {proof.stat().st_size} bytes, checked without any node: {said}")
        whole = proof.read_bytes()
        at = len(whole) // 2
        proof.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        self.show.refusal(f"byte {at} of it changed", refused("proof", "verify", "--genesis", self.net.genesis, proof))
        self.show.expect(True, "a changed proof is refused")

    def devices_update_themselves(self):
        self.show.act("4  The device updates itself, and the ledger knows")
        self.hall = Device(self.net, "hall thermostat", key="device-1", slot=16 << 20)
        update = self.push("1.0.0", self.hall)
        with Recorder(self.hall.gateway) as watcher:
            self.recorder = watcher
            pushed = time.monotonic()
            took = self.hall.install(1, via=watcher)
            for when, what in watcher.seen:
                self.show.event(f"{what} ({seconds(when - pushed)} after the push)", ">", at=when)
            self.watched = watcher.kept
        self.installed(self.hall, self.small, update, took)
        self.tell_history(update)
        self.show.row("from push to the new image running", seconds(took), "P4: devices ask every 5 s; P1: within 60 s")

        release, took = self.publish(self.large, "2.0.0")
        self.show.row(f"a {size(len(self.large))} release, stored and final", seconds(took),
                      "P3: 9.5, 15.4 and 36.1 MB, times only drawn (fig. 10)")
        update = self.push("2.0.0", self.hall)
        took = self.hall.install(release["sequence"])
        self.installed(self.hall, self.large, update, took)
        self.show.row(f"{size(len(self.large))} to the device, running, reported", seconds(took), "-")

    def installed(self, device, image, update, took):
        self.show.expect(device.state()["digest"] == hashlib.sha256(image).hexdigest(),
                         f"the {device.name} runs these {size(len(image))} after {seconds(took)}")
        record = wait_for("the report on the ledger",
                          lambda: (r := self.on_ledger(update))["status"] == "installed" and r)
        self.show.expect(True, f"its signed report is on the ledger at height {record['height']}: installed")

    # ---- 5: what is refused -----------------------------------------------------------------------------------------

    def a_stranger_publishes(self):
        self.show.act("5  What is refused, and why")
        stranger = self.net.root / "stranger.key"
        assay("key", "new", stranger)
        self.show.event("an author whom nobody registered publishes 9.9.9")
        line = refused("release", "publish", "--node", self.url, "--key", stranger, "--class", CLASS,
                       "--version", "9.9.9", self.net.image("stranger.bin", self.small))
        self.show.refusal("assay", line)
        latest = assay_json("release", "latest", "--node", self.url, "--class", CLASS)
        self.show.expect(latest["version"] == "2.0.0", "the latest release is still 2.0.0")

    def a_rollback(self):
        self.show.event("a rollback: acme's own author publishes with a lower sequence")
        line = refused("release", "publish", "--node", self.url, "--key", self.net.key("author-acme-1"),
                       "--class", CLASS, "--version", "1.0.1", "--sequence", "1",
                       self.net.image("lower.bin", self.small + b"\n"))
        self.show.refusal("assay", line)
        self.show.expect("sequence" in line.lower(), "a lower sequence is not registered")
        before = self.hall.state()
        self.push("1.0.0", self.hall)
        self.hall.once()
        self.keeps_running(self.hall, before, "after 1.0.0 was pushed to it again")
        self.show.event("somebody between them replays 1.0.0: genuine offer, signature and proof, only old")
        with Recorder(self.hall.gateway) as replayer:
            replayer.kept, replayer.mode = self.watched, Recorder.REPLAY
            status, said = self.hall.once(via=replayer)
        self.show.refusal(self.hall.name, said)
        self.show.expect(status == 1 and "SEQUENCE" in said and replayer.times > 0,
                         "an older release is not installed", said)
        self.keeps_running(self.hall, before)

    def a_validator_dies(self):
        self.victim = self.net.validators[3]
        self.victim.kill()
        self.show.event(f"kill -9 {self.victim.name}: three of four go on", "x", "31")
        self.publish(self.small, "2.1.0")
        self.show.expect(not self.victim.alive(), "publishing goes on with one validator dead")

    def an_image_changed_on_the_way(self):
        attic = Device(self.net, "attic thermostat")
        before = attic.state()
        update = self.push("2.1.0", attic)
        self.show.event("somebody between the attic thermostat and its gateway turns one bit of the image, every time")
        with ImageChanger(attic.gateway, len(self.small) // 2) as changer:
            said = attic.until(lambda status, said: changer.times > 0 and status == 1, "the attic thermostat refuses",
                               changer)
        self.show.refusal(attic.name, said)
        self.tell_history(update)
        record = self.on_ledger(update)
        self.show.expect(record["failed_attempts"] == 3 and record["last_outcome"] == "exhausted",
                         "the ledger counted three mismatches, and the fourth attempt was refused", json.dumps(record))
        self.keeps_running(attic, before)
        self.show.row("attempts with a changed image", f"{record['failed_attempts']}, the next one refused",
                      "P1: 3, the 4th refused: \"too many failed attempts\"")
        self.show.event("a further attempt, with the right digest this time (assay update verify)")
        answer = self.verify(attic, update, "2.1.0")
        self.show.refusal("ledger", answer["result"]["detail"])
        self.show.expect(answer.get("outcome") == "exhausted", "too late: it stays refused", json.dumps(answer))

    def a_full_node_that_lies(self):
        garage = Device(self.net, "garage thermostat", gateway=self.net.gateways[1])
        self.push("2.1.0", garage)
        self.show.event(f"gateway1 follows a full node ({self.liar.url}) that changes every block of every image")
        took = garage.install(self.releases["2.1.0"]["sequence"])
        named = [line for line in self.net.gateways[1].log().splitlines() if self.liar.url in line]
        self.show.refusal("gateway1", named[-1] if named else "no word about it")
        self.show.expect(self.liar.times > 0 and named, "found out; the image came from another node, and the garage "
                         f"thermostat runs it after {seconds(took)}", f"wrong answers given: {self.liar.times}")

    def a_window_that_has_passed(self):
        self.cellar = Device(self.net, "cellar thermostat")
        before = self.cellar.state()
        update = self.push("2.1.0", self.cellar, window="1s")
        began = time.monotonic()
        self.show.event("the cellar thermostat is switched off; nobody sends anything")
        wait_for("the window to pass on the ledger", lambda: self.on_ledger(update)["status"] == "expired", 20)
        took = time.monotonic() - began
        self.show.expect(True, f"expired on the ledger by itself after {seconds(took)}")
        self.show.row("a window of 1 s closes", f"{seconds(took)}, by itself",
                      "P1: window of 60 s, refused when the device asks")
        self.tell_history(update)
        status, said = self.cellar.once()
        self.show.event(f"the cellar thermostat is back: {said}")
        answer = self.verify(self.cellar, update, "2.1.0")
        self.show.refusal("ledger", f"asked with the right digest: {answer['result']['detail']}")
        self.show.expect(answer["outcome"] == "expired", "its update stays expired", json.dumps(answer))
        self.keeps_running(self.cellar, before)

    def a_gateway_that_lies(self):
        porch = Device(self.net, "porch thermostat")
        with Recorder(porch.gateway) as liar:
            update = self.push("2.1.0", porch)
            self.installed(porch, self.small, update, porch.install(self.releases["2.1.0"]["sequence"], via=liar))
            before = porch.state()
            self.publish(self.small, "2.2.0")
            stories = {Recorder.LIE: "its gateway keeps `verify` from the ledger, says \"verified\", and shows the "
                                     "proof of the update before",
                       Recorder.FORGE: "once more; now with this update's own proof, one bit of it turned"}
            for mode, story in stories.items():
                liar.mode, liar.times = Recorder.HONEST, 0
                update = self.push("2.2.0", porch)
                self.show.event(story)
                liar.mode = mode
                said = porch.until(lambda status, said: liar.times > 1 and status == 1, "the porch thermostat refuses",
                                   liar)
                self.show.refusal(porch.name, said)
                record = self.on_ledger(update)
                self.show.expect(record["status"] in ("unverified", "failed"),
                                 f"it did not arm: on the ledger it is {record['status']}", json.dumps(record))
                self.keeps_running(porch, before, said)

    # ---- 6 and 7: the end -------------------------------------------------------------------------------------------

    def the_dead_come_back(self):
        self.show.act("6  The dead validator comes back")
        self.show.row("publish or push with one of 4 dead",
                      f"{seconds(statistics.median(self.while_dead))}, slowest {seconds(max(self.while_dead))}", "-")
        behind = self.net.validators[0].height()
        began = time.monotonic()
        self.victim.start()
        head = self.net.wait_equal(seconds=30)
        took = time.monotonic() - began
        self.show.expect(True, f"{self.victim.name} caught up {seconds(took)} after its restart; at height "
                         f"{head['height']} all four have state root {head['state_root'][:16]}...")
        self.show.row(f"a dead validator catches up (to height {behind})", seconds(took), "-")
        self.show.expect(self.net.blocks_agree() >= behind, "every block is the same on all four")

    def response_times(self):
        self.show.act("7  Response times, with an almost empty ledger and with a fuller one")
        few = self.measure()
        report = json.loads(assay("bench", "tx", "--seconds", "5", "--node", self.url, "--key",
                                  self.net.key("author-acme-1"), "--json", timeout=60))
        sent = report["idle"]["final"] + report["load"]["final"]
        many = self.measure()
        self.show.event(f"assay bench tx: {sent} transactions, {report['load']['tx_per_s']:.0f} a second")
        for name in few:
            before, after = seconds(few[name]), seconds(many[name])
            self.show.event(f"{name}: {before} before, {after} after them (medians of {SAMPLES})", "|")
            self.show.row(name, f"{before}, {after}*", PAPER[name])
        self.show.notes.append(f"* after {sent} more transactions")

    def measure(self):
        """Medians of what P1 measured, over plain HTTP with transactions signed before."""
        node, key = self.net.validators[0], self.net.key("author-acme-1")
        release = self.releases["2.2.0"]
        target = ["--release", release["release_id"], "--device", self.cellar.id]
        update = assay_json("update", "push", "--node", node.url, "--key", key, *target, "--window", "10m")["update_id"]
        signed = self.net.root / "signed.tx"

        def final(*command):
            assay(*command, "--node", node.url, "--out", signed)
            began = time.monotonic()
            node.post("/v1/txs?wait=finalized&timeout_ms=20000", signed.read_bytes())
            return time.monotonic() - began

        def answered(path):
            began = time.monotonic()
            node.get_bytes(path)
            return time.monotonic() - began

        latest = f"/v1/releases/latest?class={CLASS}"
        ways = {
            "push, final": lambda: final("update", "push", "--key", key, *target),
            "verify, final": lambda: final("update", "verify", "--key", self.cellar.key, "--update", update, "--digest",
                                           release["sha256"]),
            "query": lambda: answered(f"/v1/updates/{update}"),
            "latest release": lambda: answered(latest),
            "latest release, with proof": lambda: answered(latest + "&proof=1"),
        }
        return {name: statistics.median(way() for _ in range(SAMPLES)) for name, way in ways.items()}

    # ---- Whole ------------------------------------------------------------------------------------------------------

    def play(self):
        self.scene(self.real_images, vital=True)
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(LONGEST_S)
        for scene in (self.a_network, self.a_release_with_a_proof, self.devices_update_themselves):
            self.scene(scene, vital=True)
        for scene in (self.a_stranger_publishes, self.a_rollback, self.a_validator_dies,
                      self.an_image_changed_on_the_way, self.a_full_node_that_lies, self.a_window_that_has_passed,
                      self.a_gateway_that_lies, self.the_dead_come_back, self.response_times):
            self.scene(scene)

    def everything_stops(self):
        """Stops the nodes as an operator would, and checks what they leave on disk."""
        self.show.act("8  Everything stops")
        pids = [node.pid() for node in self.net.nodes if node.alive()]
        began = time.monotonic()
        self.net.down()
        took = time.monotonic() - began
        self.show.expect(not any(node.alive() for node in self.net.nodes) and not any(map(running, pids)),
                         f"assay down: none of the {len(pids)} processes is left, after {seconds(took)}")
        for node in self.net.validators if pids else []:
            said = assay("node", "verify", "--home", node.home).strip().splitlines()[-1]
            self.show.expect(said.startswith("good"), f"assay node verify, {node.name}: {said}")

    def leave_up(self):
        self.show.act("The network is left up")
        first, gateway = self.net.validators[0], self.net.gateways[0]
        for node in self.net.nodes:
            self.show.line(f"{node.name:11} {node.url:22} home {node.home}")
        self.show.line(f"open        {first.url}/v1/status")
        self.show.line(f"            {first.url}/v1/releases/latest?class={CLASS}")
        self.show.line(f"            {first.url}/v1/blocks/latest")
        self.show.line(f"            {gateway.url}/v1/status")
        self.show.line(f"keys        {self.net.dir}/keys")
        self.show.line(f"stop it     {BIN}/assay down --dir {self.net.dir} && rm -r {self.net.root}")

    def last_words(self):
        """When something did not hold: what the nodes said last."""
        for node in self.net.nodes:
            for line in node.log().splitlines()[-4:]:
                self.show.line(f"{node.name}: {line[:400]}")

    def end(self):
        """Whatever happened: nothing stays behind, unless it was asked for. Gives the exit status."""
        signal.alarm(0)
        keep = KEEP and self.net is not None and all(node.alive() for node in self.net.nodes)
        if self.net is not None and self.show.failures:
            self.last_words()
        if self.net is not None and not keep:
            self.scene(self.everything_stops)
            self.net.close()
            self.show.expect(not self.net.root.exists(), "the temporary folder is gone")
        if self.liar is not None:
            self.liar.__exit__()
        if self.show.rows:
            self.show.act("What was measured")
            self.show.table()
        if keep:
            self.leave_up()
        return self.show.verdict()


class TooLong(Exception):
    """The demonstration as a whole has a limit, like each of its steps."""


def too_long(*_):
    raise TooLong(f"the demonstration took more than {LONGEST_S} s")


def interrupted(*_):
    raise KeyboardInterrupt


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def main():
    signal.signal(signal.SIGTERM, interrupted)
    demonstration = Demonstration()
    try:
        demonstration.play()
    except SystemExit:
        pass  # a step that everything rests on: it has been told
    except KeyboardInterrupt:
        demonstration.show.fail("interrupted")
    except TooLong as late:
        demonstration.show.fail(str(late))
    finally:
        status = demonstration.end()
    return status


if __name__ == "__main__":
    sys.exit(main())
