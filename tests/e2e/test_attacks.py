"""A hostile network: each test is one attack, and the proof that it fails.

Attackers sit between a device and its gateway, between a gateway and the full nodes, and at the open ports of a node. Where
they have to be late or early they act on the message itself, so that no test waits for a time to pass.
"""
import contextlib
import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

import proxy as wire
from net import CLASS, WRONG, Net, Node, Refused, assay, assay_json, run, wait_for
from proxy import Proxy, decode, encode, flip, gives, tamper

VERIFY = 2  # a statement's kind
KIND_AT, COUNTER_AT = 105, 97


def image_of(size, seed=None):
    return random.Random(seed).randbytes(size) if seed is not None else os.urandom(size)


def configure(node, **keys):
    """Changes keys of a node's assay.conf; one that stands in several sections is changed in the last."""
    path = node.home / "assay.conf"
    lines = path.read_text().splitlines()
    for name, value in keys.items():
        at = [i for i, line in enumerate(lines) if line.split("=")[0].strip() == name]
        assert at, name
        lines[at[-1]] = f"{name} = {value}"
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def site():
    """Four validators; gateway0 talks to them straight, before gateway1 and each of them stands a proxy."""
    net = Net(gateways=2, spare=1)
    with contextlib.ExitStack() as stack:
        stack.callback(net.close)
        net.sources = [stack.enter_context(Proxy(node.url)) for node in net.validators]
        configure(net.gateways[0], poll_ms=200)
        configure(net.gateways[1], poll_ms=200, sources=",".join(source.url for source in net.sources))
        net.start()
        net.made = 0
        yield net


class Device:
    """A device of its own for a test, registered under a gateway, on a link that the test may put a proxy into."""

    def __init__(self, net, gateway=0):
        net.made += 1
        self.net = net
        self.gateway = net.gateways[gateway]
        self.name = f"device-{net.made}"
        self.home = net.root / self.name
        self.key = net.root / f"{self.name}.key"
        assay("key", "new", self.key)
        self.id = assay_json("key", "show", self.key)["public_key"]
        assay("device", "register", self.id, "--class", CLASS, "--node", net.validators[0].url, "--key", self.gateway.home / "node.key")
        run("assay-device", "--home", self.home, "--gateway", self.gateway.url, "init", "--genesis", net.genesis, "--key",
            self.key, "--class", CLASS)

    def once(self, url=None, timeout=60):
        status, out, err = run("assay-device", "--home", self.home, "--gateway", url or self.gateway.url, "once", check=False,
                               timeout=timeout)
        return status, (err or out).strip().splitlines()[-1]

    def shown(self):
        return json.loads(run("assay-device", "--home", self.home, "--gateway", self.gateway.url, "status", "--json")[1])

    def sequence(self):
        return self.shown()["sequence"]

    def until_refused(self, url, seconds=30):
        """Polls as a device does until something was refused; gives the line."""
        def polled():
            status, line = self.once(url)
            return "refused: " in line and line
        return wait_for("a refusal", polled, seconds, every=0.05)

    def until_runs(self, sequence, url=None, seconds=30):
        def polled():
            self.once(url)
            return self.sequence() == sequence
        wait_for(f"sequence {sequence} to run", polled, seconds, every=0.05)

    def offered(self, update_id, seconds=20):
        """Waits until the gateway offers the update."""
        def asked():
            answer = ask(self.gateway.url, {0: 1, 1: wire.CHECK, 2: bytes.fromhex(self.id), 3: self.sequence(), 4: 0, 5: 0})
            return answer[2] == wire.OK and answer[3] and answer[4].hex() == update_id
        wait_for("the offer", asked, seconds)


@pytest.fixture
def device(site):
    return Device(site)


def ask(url, message):
    """One exchange of the device protocol, by anybody."""
    request = urllib.request.Request(url + wire.DEVICE_PATH, encode(message), {"Content-Type": "application/cbor"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return decode(answer.read())


def fetched(url, device_id, what, update_id, height=0):
    """A whole object, as a device would fetch it."""
    out, tag, total = b"", 0, 1
    while len(out) < total:
        said = ask(url, {0: 1, 1: wire.GET, 2: bytes.fromhex(device_id), 3: what, 4: bytes.fromhex(update_id), 5: len(out),
                         6: 65536, 7: tag, 8: 0, 9: height})
        assert said[2] == wire.OK, said
        total, tag = said[3], said[4]
        out += said[5]
    return out


def instead(what, other, when=lambda: True):
    """The answer hook that hands out `other` for an object."""
    def change(asked, said):
        if asked[1] == wire.GET and asked[3] == what and when():
            tag = int.from_bytes(hashlib.sha256(other).digest()[:4], "big") or 1
            said.clear()
            said.update({0: 1, 1: wire.GET, 2: wire.OK, 3: len(other), 4: tag,
                         5: other[asked[5]:asked[5] + min(asked[6], 1024)]})
    return tamper(change)


def published(net, image=None, **options):
    """A new release of the class, newer than all before."""
    image = image if image is not None else image_of(9000)
    version = options.pop("version", f"1.{time.monotonic_ns()}.0")
    return net.publish(net.image(hashlib.sha256(image).hexdigest()[:16], image), version, **options)


def pushed(net, device, image=None, **options):
    release = published(net, image)
    return release, net.push(release["release_id"], device=device.id, window="10m", **options)


def place(net, update, node=None):
    """Where the first device of an update stands, as the ledger has it."""
    return assay_json("update", "show", update["update_id"], "--node", (node or net.validators[0]).url)["devices"][0]


class Verifies:
    """Counts the attempts that pass through a proxy: statements of kind verify, resent ones once."""

    def __init__(self):
        self.counters = []
        self.messages = []

    def __call__(self, request):
        if wire.is_device(request):
            asked = decode(request.body)
            if asked[1] == wire.STATEMENT and asked[3][KIND_AT] == VERIFY:
                counter = asked[3][COUNTER_AT:KIND_AT]
                if counter not in self.counters:
                    self.counters.append(counter)
                    self.messages.append(asked)


def spoil_image(asked, said):
    if gives(asked, said, wire.IMAGE) and asked[5] == 0:
        said[5] = flip(said[5])


# ---- Between a device and its gateway ----------------------------------------------------------------------------------


def test_man_in_the_middle_changes_the_image_three_times_and_the_fourth_attempt_is_refused(site, device):
    first, update = pushed(site, device)
    verifies = Verifies()

    def change(asked, said):
        if len(verifies.counters) < 3:
            spoil_image(asked, said)
    with Proxy(device.gateway.url, verifies, tamper(change)) as middle:
        line = device.until_refused(middle.url)
    assert "EXHAUSTED" in line and len(verifies.counters) == 4
    assert verifies.messages[3][3][109:141].hex() == first["sha256"], "the fourth image was right"
    assert device.sequence() == 0
    shown = place(site, update)
    assert shown["failed_attempts"] == 3 and shown["status"] in ("exhausted", "failed")
    history = assay_json("update", "show", update["update_id"], "--history", "--node", site.validators[0].url)
    assert json.dumps(history).count("mismatch") >= 3
    # the next release, on an honest link, is installed
    second, _ = pushed(site, device)
    device.until_runs(second["sequence"])


def test_sanitized_a_gateway_that_says_verified_is_not_believed(site, device):
    first, update = pushed(site, device, max_failed=1)

    def change(asked, said):
        spoil_image(asked, said)
        if asked[1] == wire.STATEMENT and said[2] == wire.OK:
            said.update({3: 1, 4: 5, 5: True, 6: 0})
    with Proxy(device.gateway.url, answer=tamper(change)) as liar:
        line = device.until_refused(liar.url)
    assert "EXHAUSTED" in line
    assert device.sequence() == 0 and place(site, update)["failed_attempts"] == 1


def test_status_proofs_of_another_time_or_another_device_do_not_arm(site, device):
    # of an earlier update of this device
    first, update = pushed(site, device)
    device.until_runs(first["sequence"])
    old = fetched(device.gateway.url, device.id, wire.STATUS_PROOF, update["update_id"])
    second, update = pushed(site, device)
    with Proxy(device.gateway.url, answer=instead(wire.STATUS_PROOF, old)) as liar:
        assert "BAD_" in device.until_refused(liar.url)
    assert device.sequence() == first["sequence"]
    # of another device that was verified for the same image, newer than anything this one has seen
    other = Device(site)
    third = published(site)
    update = assay_json("update", "push", "--node", site.validators[0].url, "--key", site.key("author-acme-1"), "--release",
                        third["release_id"], "--device", device.id, "--device", other.id, "--window", "10m")
    other.until_runs(third["sequence"])

    def others():
        return fetched(device.gateway.url, other.id, wire.STATUS_PROOF, update["update_id"])
    with Proxy(device.gateway.url) as liar:
        liar.behave(answer=lambda request, answer: instead(wire.STATUS_PROOF, others())(request, answer))
        assert "BAD_KEY" in device.until_refused(liar.url)
    assert device.sequence() == first["sequence"]


def test_a_status_proof_with_any_byte_changed_does_not_arm(site, device):
    _, update = pushed(site, device)

    def change(asked, said):
        if gives(asked, said, wire.STATUS_PROOF) and asked[5] + len(said[5]) == said[3]:
            said[5] = flip(said[5], len(said[5]) // 2)
    with Proxy(device.gateway.url, answer=tamper(change)) as liar:
        assert "BAD_" in device.until_refused(liar.url)
    assert device.sequence() == 0


def test_revoked_while_the_device_downloads(site, device):
    first, update = pushed(site, device)
    device.offered(update["update_id"])
    revoked = []

    def request(message):
        if not revoked and decode(message.body)[1] == wire.GET and decode(message.body)[3] == wire.IMAGE:
            revoked.append(assay("release", "revoke", first["release_id"], "--reason", "attack", "--node",
                                 site.validators[0].url, "--key", site.key("admin-acme")))
    with Proxy(device.gateway.url, request) as middle:
        wait_for("the download to begin", lambda: (device.once(middle.url, timeout=20), revoked)[1])
        device.once(middle.url, timeout=20)
    assert device.sequence() == 0
    assert place(site, update)["status"] != "verified"
    # what was revoked does not keep the device from what comes after
    second, _ = pushed(site, device)
    device.until_runs(second["sequence"])


def test_a_newer_release_while_the_device_downloads(site, device):
    """Whoever publishes often must not keep devices in downloads that nobody serves any more."""
    first, update = pushed(site, device)
    device.offered(update["update_id"])
    newer = []

    def request(message):
        if not newer and decode(message.body)[1] == wire.GET and decode(message.body)[3] == wire.IMAGE:
            newer.append(pushed(site, device)[0])
            wait_for("the gateway to know", lambda: ask(device.gateway.url, decode(message.body))[2] == wire.GONE)
    with Proxy(device.gateway.url, request) as middle:
        wait_for("the download to begin", lambda: (device.once(middle.url, timeout=20), newer)[1])
    device.until_runs(newer[0]["sequence"])


def test_a_revocation_is_not_hidden_by_an_older_class_proof(site, device):
    """Mix and match: the status is proven at one height, the class record at a lower one."""
    first, update = pushed(site, device)
    device.offered(update["update_id"])
    old = fetched(device.gateway.url, device.id, wire.CLASS_PROOF, update["update_id"])
    seen = []

    def watch(message):
        asked = decode(message.body)
        if asked[1] == wire.GET and asked[3] == wire.STATUS_PROOF and not seen:
            seen.append(True)
            assay("release", "revoke", first["release_id"], "--reason", "attack", "--node", site.validators[0].url, "--key",
                  site.key("admin-acme"))
    with Proxy(device.gateway.url, watch, instead(wire.CLASS_PROOF, old, when=lambda: seen)) as middle:
        line = device.until_refused(middle.url)
    assert seen and ("BAD_HEIGHT" in line or "REVOKED" in line)
    assert device.sequence() == 0


def foreign_envelope(net, image, key):
    """An envelope signed by a key that is no author of the class."""
    out = net.root / f"foreign-{time.monotonic_ns()}.tx"
    assay("release", "publish", "--node", net.validators[0].url, "--key", key, "--class", CLASS, "--version", "9.9.9", "--out",
          out, net.image(out.name + ".bin", image))
    raw = out.read_bytes()
    at = raw.index(b"\xd8\x6b")
    return raw[at:cbor_end(raw, at)]


def cbor_end(data, at):
    """Where an item of definite length ends."""
    major, value = data[at] >> 5, data[at] & 31
    at += 1
    if value >= 24:
        size = 1 << (value - 24)
        value, at = int.from_bytes(data[at:at + size], "big"), at + size
    if major in (2, 3):
        return at + value
    for _ in range({4: value, 5: 2 * value, 6: 1}.get(major, 0)):
        at = cbor_end(data, at)
    return at


def test_the_quorum_alone_installs_nothing(site, device):
    """The ledger's proof is right, the envelope is signed by a key the vendor never vouched for, or changed."""
    image = image_of(4000)
    foreign = foreign_envelope(site, image, site.key("admin-acme"))
    _, update = pushed(site, device, image)
    with Proxy(device.gateway.url, answer=instead(wire.ENVELOPE, foreign)) as liar:
        assert "BAD_" in device.until_refused(liar.url)
    assert device.sequence() == 0


def test_the_vendor_alone_installs_nothing(site, device):
    """The envelope is right, the ledger's proof is changed, of another key, of an older release, or withheld."""
    first, update = pushed(site, device)
    device.offered(update["update_id"])
    before = fetched(device.gateway.url, device.id, wire.CLASS_PROOF, update["update_id"])
    second, update = pushed(site, device)
    device.offered(update["update_id"])
    now = fetched(device.gateway.url, device.id, wire.CLASS_PROOF, update["update_id"])
    status = fetched(device.gateway.url, device.id, wire.STATUS_PROOF, update["update_id"])

    def withheld(asked, said):
        if asked[1] == wire.GET and asked[3] == wire.CLASS_PROOF:
            said.clear()
            said.update({0: 1, 1: wire.GET, 2: wire.GONE})
    for name, hook in {"changed": instead(wire.CLASS_PROOF, flip(now, len(now) // 2)), "another key": instead(wire.CLASS_PROOF, status),
                       "older release": instead(wire.CLASS_PROOF, before), "cut": instead(wire.CLASS_PROOF, now[:-1]),
                       "longer": instead(wire.CLASS_PROOF, now + b"\0"), "withheld": tamper(withheld)}.items():
        # each attempt ends the device's part in an update: without a new one the next attack would not be tried at all
        update = site.push(second["release_id"], device=device.id, window="10m")
        device.offered(update["update_id"])
        with Proxy(device.gateway.url, answer=hook) as liar:
            _, line = device.once(liar.url)
        assert device.sequence() == 0, f"{name}: {line}"
        expected = "nothing to do" if name == "withheld" else "refused: "
        assert expected in line or name == "cut" and "no usable answer" in line, f"{name}: {line}"
    shown = assay_json("update", "show", update["update_id"], "--node", site.validators[0].url)
    assert shown["counts"]["verified"] == 0 and shown["counts"]["installed"] == 0


def test_an_older_release_is_not_installed_over_a_newer_one(site, device):
    first, update = pushed(site, device)
    device.offered(update["update_id"])
    old = {what: fetched(device.gateway.url, device.id, what, update["update_id"])
           for what in (wire.ENVELOPE, wire.CLASS_PROOF, wire.DELEGATION)}
    second, _ = pushed(site, device)
    device.until_runs(second["sequence"])
    third, _ = pushed(site, device)
    with Proxy(device.gateway.url) as liar:
        def answer(request, said):
            for what, data in old.items():
                said = instead(what, data)(request, said) or said
            return said
        liar.behave(answer=answer)
        assert "BAD_SEQUENCE" in device.until_refused(liar.url)
    assert device.sequence() == second["sequence"]
    # nor does pushing it again bring it there
    site.push(first["release_id"], device=device.id)
    device.once()
    assert device.sequence() == second["sequence"]


@pytest.mark.parametrize("sequence", [1, 2**64 - 1, 2**63])
def test_a_sequence_below_or_far_above_is_not_released(site, sequence):
    latest = published(site)["sequence"]
    with pytest.raises(Refused) as refusal:
        published(site, sequence=sequence)
    assert "equence" in str(refusal.value)
    assert published(site)["sequence"] == latest + 1


def test_an_image_for_another_class_is_refused(site, device):
    """The device was made for another class; the proxy makes the gateway believe it is of this one."""
    config = next(path for path in device.home.iterdir() if path.is_file() and b"class_id" in path.read_bytes())
    text = config.read_text()
    class_id = json.loads(text)["class_id"]
    other = class_id[:-1] + ("0" if class_id[-1] != "0" else "1")
    config.write_text(text.replace(class_id, other))

    def request(message):
        asked = decode(message.body)
        if asked[1] == wire.HELLO:
            asked[3] = bytes.fromhex(class_id.replace("-", ""))
            message.body = encode(asked)
            message.headers.pop("Content-Length", None)
    pushed(site, device)
    with Proxy(device.gateway.url, request) as liar:
        assert "BAD_" in device.until_refused(liar.url)
    assert device.sequence() == 0


def test_endless_data_and_oversized_answers(site, device):
    def huge(asked, said):
        if asked[1] == wire.GET and said[2] == wire.OK:
            said[3] = 1 << 40

    def long_pieces(asked, said):
        if gives(asked, said, wire.IMAGE):
            said[5] += b"\0" * 70000

    def endless(request, answer):
        answer.body = (b"\0" * 65536 for _ in range(1 << 20))
        return answer
    for hook in (tamper(huge), tamper(long_pieces), endless):
        _, update = pushed(site, device)
        device.offered(update["update_id"])
        with Proxy(device.gateway.url, answer=hook) as liar:
            status, line = device.once(liar.url)  # which ends
            assert status == 1, line
        assert device.sequence() == 0
    second, _ = pushed(site, device)
    device.until_runs(second["sequence"])


def test_replayed_statements_count_once(site, device):
    verifies = Verifies()
    first, update = pushed(site, device)

    def change(asked, said):
        if len(verifies.counters) < 1:
            spoil_image(asked, said)
    with Proxy(device.gateway.url, verifies, tamper(change)) as middle:
        device.until_runs(first["sequence"], middle.url)
    assert place(site, update)["failed_attempts"] == 1
    # the first one, of the mismatch, and the second, of the success, as often as one likes, and with a byte changed
    for message in verifies.messages * 3:
        ask(device.gateway.url, message)
        forged = dict(message)
        forged[3] = flip(message[3], 140)
        assert ask(device.gateway.url, forged)[2] == wire.BAD_REQUEST
    wait_for("nothing waiting", lambda: device.gateway.status()["statements"]["queued"] == 0)
    wait_for("the report", lambda: place(site, update)["status"] == "installed")
    assert place(site, update)["failed_attempts"] == 1


def test_strangers_do_not_keep_a_device_out(site):
    """More ids than the gateway remembers ask for places in updates that do not exist; a device that is new is heard."""
    gateway = site.gateways[0]
    known = Device(site)
    first, update = pushed(site, known)
    known.offered(update["update_id"])
    before = gateway.rss_mb()
    host = gateway.url.split("//")[1]
    flood = []
    for _ in range(4):
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.connect()
        flood.append(connection.sock)
    for sock in flood:
        requests = b""
        for i in range(3000):
            device_id, update_id = (bytes.fromhex(known.id), os.urandom(32)) if i % 2 else (os.urandom(32), bytes(32))
            body = encode({0: 1, 1: wire.GET, 2: device_id, 3: wire.STATUS_PROOF, 4: update_id, 5: 0, 6: 1024, 7: 0, 8: 0, 9: 0})
            requests += (b"POST /device/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/cbor\r\nContent-Length: %d\r\n\r\n"
                         % len(body)) + body
        sock.settimeout(0.5)
        with contextlib.suppress(OSError):
            sock.sendall(requests)
    fresh = Device(site)
    second = published(site)
    site.push(second["release_id"])
    fresh.until_runs(second["sequence"], seconds=30)
    for sock in flood:
        sock.close()
    known.until_runs(second["sequence"], seconds=30)
    assert gateway.rss_mb() - before < 30


# ---- Between a gateway and the full nodes ------------------------------------------------------------------------------


def lies_of(net):
    return [source["lies"] for source in net.gateways[1].status()["sources"]]


@pytest.fixture
def sources(site):
    yield site.sources
    for source in site.sources:
        source.behave()
        assert not source.errors


def is_proof(request):
    return request.path.startswith("/v1/proof")


def forged(request, answer):
    if is_proof(request) and answer.status == 200:
        answer.body = flip(answer.body, len(answer.body) // 2)
    if request.path.startswith("/ipfs/") and answer.status in (200, 206):
        answer.body = flip(answer.body, len(answer.body) // 2) if answer.body else answer.body
    return answer


class OtherKey:
    """Proofs that are right, but of another key than was asked for."""

    def __init__(self, node):
        self.other = node.get_bytes("/v1/proof?contract=governance&key=" + b"params".hex())

    def __call__(self, request, answer):
        if is_proof(request):
            answer.body, answer.status = self.other, 200
        return answer


class Frozen:
    """Gives for each question what it gave first."""

    def __init__(self):
        self.first = {}

    def __call__(self, request, answer):
        return self.first.setdefault(request.path, answer)


def elsewhere(request, answer):
    """Redirects to a place of the attacker's choosing."""
    answer.status, answer.headers, answer.body = 302, {"Location": "http://127.0.0.1:9/"}, b""
    return answer


def endless(request, answer):
    if is_proof(request) or request.path.startswith("/ipfs/"):
        answer.body = (b"\0" * 65536 for _ in range(1 << 20))
        answer.status = 200
    return answer


def drip(request, answer):
    """A byte now and then. The pause is the attack, not a wait for an event."""
    whole = answer.body if isinstance(answer.body, bytes) else b""

    def bytes_slowly():
        for byte in whole:
            yield bytes([byte])
            time.sleep(0.3)
    answer.body = bytes_slowly()
    return answer


def test_one_honest_source_is_enough(site, sources):
    device = Device(site, gateway=1)
    first, _ = pushed(site, device)
    device.until_runs(first["sequence"])
    before = lies_of(site)
    sources[0].behave(answer=forged)
    sources[1].behave(answer=OtherKey(site.validators[1]))
    sources[2].behave(answer=Frozen())
    image = image_of(300_000)
    second, update = pushed(site, device, image)
    device.until_runs(second["sequence"])
    assert device.shown()["digest"] == hashlib.sha256(image).hexdigest()
    after = lies_of(site)
    assert after[0] > before[0] and after[1] > before[1] and after[3] == before[3]
    wait_for("the report on the ledger", lambda: place(site, update)["status"] == "installed")


def test_sources_that_never_end_drip_or_redirect(site, sources):
    device = Device(site, gateway=1)
    gateway = site.gateways[1]
    before = gateway.rss_mb()
    sources[0].behave(answer=endless)
    sources[1].behave(answer=drip)
    sources[2].behave(answer=elsewhere)
    image = image_of(200_000)
    release, _ = pushed(site, device, image)
    device.until_runs(release["sequence"], seconds=40)
    assert device.shown()["digest"] == hashlib.sha256(image).hexdigest()
    assert gateway.rss_mb() - before < 30


def test_a_source_that_names_wrong_targets_hides_no_update(site, sources):
    """The lists of updates and their devices are no proof; one source fills its own with devices that do not exist."""
    device = Device(site, gateway=1)

    def answer(request, said):
        if request.path.startswith("/v1/updates") and said.status == 200:
            listed = json.loads(said.body)
            if "devices" in listed:
                listed["devices"] = [{"device_id": os.urandom(32).hex()} for _ in range(64)]
            if "updates" in listed:
                made_up = [dict(item, update_id=os.urandom(32).hex()) for item in listed["updates"] for _ in range(3)]
                listed["updates"] = made_up
            said.body = json.dumps(listed).encode()
        return said
    slow = threading.Event()

    def late(request):
        if request.path.startswith("/v1/updates"):
            slow.wait(0.1)  # the liar is always first
    sources[0].behave(answer=answer)
    for source in sources[1:]:
        source.behave(late)
    release, update = pushed(site, device)
    device.until_runs(release["sequence"])
    # a device that comes when the gateway has the lists already
    second = Device(site, gateway=1)
    release = published(site)
    update = site.push(release["release_id"], device=second.id, window="10m")
    wait_for("the gateway to know the update", lambda: f"update.new update={update['update_id'][:8]}" in site.gateways[1].log())
    second.until_runs(release["sequence"])


def test_a_source_that_invents_updates_is_named_and_delays_nothing(site, sources):
    """One of the sources fills every list with ids that nobody knows: it is told by name, and an update comes as fast."""
    gateway = site.gateways[1]

    def answer(request, said):
        if request.path.startswith("/v1/updates?") and said.status == 200:
            listed = json.loads(said.body)
            sample = listed["updates"][0] if listed["updates"] else None
            if sample:
                listed["updates"] = [dict(sample, update_id=os.urandom(32).hex()) for _ in range(500)]
            said.body = json.dumps(listed).encode()
        return said
    device = Device(site, gateway=1)
    release, _ = pushed(site, device)
    device.until_runs(release["sequence"])
    sources[0].behave(answer=answer)
    before = lies_of(site)
    release = published(site)
    update = site.push(release["release_id"], device=device.id, window="10m")
    wait_for("the gateway to know the update", lambda: f"update.new update={update['update_id'][:8]}" in gateway.log())
    device.until_runs(release["sequence"])
    wait_for("the liar to be named", lambda: "alarm name=lying-source" in gateway.log())
    assert lies_of(site) > before


def test_freeze_is_noticed_and_nothing_is_offered(site, sources):
    device = Device(site, gateway=1)
    gateway = site.gateways[1]
    gateway.kill()
    configure(gateway, freshness_ms=2000)
    site.decide_params(heartbeat_ms=600)  # three of them are less
    gateway.start()
    try:
        device.once()  # from now on the gateway asks about it and its class
        release, update = pushed(site, device)
        wait_for("a fresh head", lambda: published(site) and not gateway.status()["frozen"])
        release, update = pushed(site, device)
        device.offered(update["update_id"])
        for source in sources:
            source.behave(answer=Frozen())

        def alarm():
            try:
                gateway.get_bytes("/healthz")
            except urllib.error.HTTPError as error:
                return error.code == 503 and json.loads(error.read())["error"]["code"] == "FROZEN"
        wait_for("the freeze alarm", alarm, 10)
        assert "frozen" in gateway.status()["alarm"]
        device.once()
        assert device.sequence() == 0
    finally:
        for source in sources:
            source.behave()
        gateway.kill()
        configure(gateway, freshness_ms=60000)
        site.decide_params(heartbeat_ms=10000)
        gateway.start()
    newest, _ = pushed(site, device)
    device.until_runs(newest["sequence"])


def test_altered_images_are_not_kept(site, sources):
    """The gateway finds the one source that tells the truth, if need be one that the genesis names."""
    device = Device(site, gateway=1)

    def only_images(request, answer):
        return forged(request, answer) if request.path.startswith("/ipfs/") else answer
    for source in sources:
        source.behave(answer=only_images)
    image = image_of(100_000)
    release, _ = pushed(site, device, image)
    device.until_runs(release["sequence"])
    assert device.shown()["digest"] == hashlib.sha256(image).hexdigest()
    assert "does not hash to its CID" in site.gateways[1].log()


# ---- At a node's ports -------------------------------------------------------------------------------------------------


def http_port(node):
    return int(node.url.rsplit(":", 1)[1])


def attacked(net, node, attack, more_mb=40):
    """Lets `attack` hold what it opened while the node has to go on; then memory must not have grown much."""
    before = node.rss_mb()
    with contextlib.ExitStack() as held:
        attack(held)
        release = published(net)
        net.wait_height(release["height"], [node])
    assert node.rss_mb() - before < more_mb


def connect(held, port, sent=b""):
    sock = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
    with contextlib.suppress(OSError):
        sock.sendall(sent)
    return sock


def test_garbage_after_a_good_beginning_at_the_peer_port(site):
    node = site.validators[0]
    rng = random.Random(11)
    beginnings = [b"", struct.pack(">I", 126), struct.pack(">I", 126) + b"\1", struct.pack(">I", 73) + b"\2"]

    def attack(held):
        for i in range(120):
            beginning = beginnings[i % len(beginnings)]
            kind = i // len(beginnings) % 5
            frames = [rng.randbytes(2000), struct.pack(">I", 1 << 31), struct.pack(">I", 1 << 24) + b"x" * 100000,
                      b"".join(struct.pack(">I", n) + rng.randbytes(n) for n in (0, 1, 32, 48, 64, 96, 200)),
                      b"\0" * 8 * 2000][kind]
            connect(held, node.peer_port, beginning + frames)
    attacked(site, node, attack)
    site.wait_equal()


def test_connection_floods_are_bounded(site):
    node = site.validators[1]

    def attack(held):
        for port in (node.peer_port, http_port(node)):
            for _ in range(700):
                try:
                    connect(held, port)
                except OSError:
                    break
    attacked(site, node, attack)
    site.wait_equal()


def test_a_node_with_another_link_key_is_no_validator(site):
    """Validator 1's home, its link key exchanged for the attacker's: nobody talks to it, and the real one stays."""
    real = site.validators[1]
    twin = Node(site, "twin", 6)  # the share that the network was made with for it
    twin.home.mkdir()
    for name in ("assay.conf", "genesis.json", "node.key"):
        shutil.copy2(real.home / name, twin.home / name)
    (twin.home / "data").mkdir()
    shutil.copy2(site.gateways[0].home / "link.key", twin.home / "link.key")
    text = (twin.home / "assay.conf").read_text()
    text = text.replace(f":{real.peer_port}", f":{twin.peer_port}").replace(f":{http_port(real)}", f":{http_port(twin)}")
    (twin.home / "assay.conf").write_text(text)
    twin.start(wait=False)
    try:
        gone = []

        def given_up_or_up():
            gone[:] = [twin.process.poll() is not None]
            return gone[0] or twin.status() is not None
        wait_for("the twin to be up, or to refuse", given_up_or_up)
        for _ in range(3):
            release = published(site)
        site.wait_height(release["height"])
        if not gone[0]:
            assert twin.height() <= 0, "a stranger was served"
        site.wait_equal()
        site.blocks_agree()
    finally:
        twin.kill()


def answer_of(port, request, seconds=5):
    """All that comes back until the node closes or is silent."""
    out = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(request)
        sock.settimeout(0.5)
        with contextlib.suppress(OSError):
            while len(out) < 1 << 20:
                piece = sock.recv(65536)
                if not piece:
                    break
                out += piece
    return out


def refusal(text):
    return text == b"" or text.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4"))


REQUESTS = {
    "endless header": b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET /v1/status HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(20_000)) + b"\r\n",
    "huge query": b"GET /v1/txs?sender=" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many arguments": b"GET /v1/txs?" + b"&".join(b"a%d=1" % i for i in range(5000)) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "path traversal": b"GET /ipfs/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "encoded traversal": b"GET /ipfs/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
    "traversal in v1": b"GET /v1/releases/..%2f..%2f..%2fnode.key/envelope HTTP/1.1\r\nHost: x\r\n\r\n",
    "zero byte": b"GET /ipfs/a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown method": b"BREW /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
    "wrong method": b"DELETE /v1/txs HTTP/1.1\r\nHost: x\r\n\r\n",
    "negative length": b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length beyond": b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "two lengths": b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "large body": b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"a" * 200_000,
    "bad chunks": b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab",
    "no blob token": b"POST /v1/blobs HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "bad token": b"POST /v1/blobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"a.b.c" * 300 + b"\r\nContent-Length: 3\r\n\r\nabc",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_sanitized_malformed_http_is_refused(site, name):
    text = answer_of(http_port(site.validators[2]), REQUESTS[name])
    assert refusal(text), text[:200]
    assert b"root:" not in text and b"secret" not in text
    assert site.validators[2].status() is not None


def test_head_has_no_body_and_pipelined_junk_does_not_confuse(site):
    port = http_port(site.validators[2])
    text = answer_of(port, b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert text.startswith(b"HTTP/1.1 ") and text.endswith(b"\r\n\r\n")
    text = answer_of(port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 20 + b"\x00\xff junk \r\n\r\n" + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert 20 <= text.count(b"alive\n") <= 21


def test_slow_clients_hold_nobody_up(site):
    node = site.validators[3]

    def attack(held):
        for i in range(150):
            connect(held, http_port(node), [b"GET /v1/sta", b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nab",
                                            b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"][i % 3])
        for _ in range(20):  # asks for much and reads nothing
            sock = connect(held, http_port(node))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with contextlib.suppress(OSError):
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
    attacked(site, node, attack)


# ---- TLS ---------------------------------------------------------------------------------------------------------------


def test_tls_is_served_and_checked():
    net = Net(validators=1, gateways=0)
    try:
        node = net.validators[0]
        cert, key = node.home / "tls.crt", node.home / "tls.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out",
                        cert], check=True, capture_output=True)
        configure(node, tls_cert="tls.crt", tls_key="tls.key")
        key.chmod(0o644)
        status, _, err = run("assayd", "--home", node.home, check=False)
        assert status == WRONG and "tls.key" in err, "a private key that others may read is refused"
        key.chmod(0o600)
        node.start()
        url = node.url.replace("http://", "https://")
        assert assay_json("status", "--node", url, "--ca-file", cert)["height"] >= 0
        with pytest.raises(Refused) as refusal_:
            assay("status", "--node", url)
        assert "certificate" in str(refusal_.value).lower()
        with pytest.raises(Refused):
            assay("status", "--node", node.url)
        image = net.image("tls.bin", image_of(5000))
        out = assay_json("release", "publish", "--node", url, "--ca-file", cert, "--key", net.key("author-acme-1"), "--class", CLASS,
                         "--version", "1.0.0", image)
        assert out["height"] > 0
    finally:
        net.close()


def test_no_secret_lies_open(site):
    """Every file with a secret is its owner's alone, and no log shows one."""
    secrets = [path for home in site.nodes for path in home.home.glob("*.key")]
    assert len(secrets) >= 10
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0, path
    for node in site.nodes:
        for path in [p for p in (node.home / "data").rglob("*") if p.is_file()]:
            assert path.stat().st_mode & 0o022 == 0, path
    for path in list(site.root.glob("device-*/*secure*")) + list(site.root.glob("device-*.key")):
        assert path.stat().st_mode & 0o077 == 0, path
