"""What falls due by time, in amounts that no block may choke on."""
import concurrent.futures
import hashlib
import json
import os
import struct
import time
import urllib.request

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from net import Net, wait_for

STAYING = ["acme", "globex", "mirror", "ops"] + [f"o{i}" for i in range(4, 16)]
LEAVING = [f"new{i}" for i in range(32)]
VOTE_THRESHOLD_PERCENT = 5
YES = 1


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def number(field, value):
    return varint(field << 3) + varint(value)


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def load(path):
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().split()[2]))


class Council:
    """48 founders, of whom 32 have 16 admins each: as many keys as there may be. Each speaks with its first one."""

    def __init__(self):
        self.net = Net(gateways=0, orgs=",".join(f"{'vendor' if i == 0 else 'operator'}:{org}" for i, org in enumerate(STAYING)))
        self.keys = {org: load(self.net.key(f"admin-{org}")) for org in STAYING}
        genesis = json.loads(self.net.genesis.read_text())
        for org in LEAVING:
            self.keys[org] = Ed25519PrivateKey.generate()
            admins = [public(self.keys[org])] + [public(Ed25519PrivateKey.generate()) for _ in range(15)]
            genesis["organisations"].append({"id": org, "name": org, "kind": "operator", "admins": [a.hex() for a in admins],
                                             "admin_threshold": 1})
        for node in self.net.validators:
            (node.home / "genesis.json").write_text(json.dumps(genesis))
        self.net.start()
        self.chain = bytes.fromhex(self.net.validators[0].status()["chain_id"])

    def send(self, org, method, args, node):
        """One transaction of governance, to its end; gives its id and its result's name."""
        key = self.keys[org]
        body = (b"\x01" + self.chain + b"\x01" + public(key) + struct.pack(">Q", int(time.time() * 1000) + 600000) + os.urandom(8)
                + b"\x0agovernance" + bytes([len(method)]) + method.encode() + struct.pack(">I", len(args)) + args)
        envelope = b"\x01" + struct.pack(">I", len(body)) + body + key.sign(b"assay.tx".ljust(16, b"\0") + body)
        request = urllib.request.Request(f"{node.url}/v1/txs?wait=finalized&timeout_ms=15000", envelope,
                                         {"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return hashlib.sha256(body).digest(), json.loads(answer.read())["result"]["name"]

    def send_all(self, jobs):
        """Many at once, spread over the validators; gives their results in order."""
        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            nodes = self.net.validators
            return list(threads.map(lambda i: self.send(*jobs[i], nodes[i % len(nodes)]), range(len(jobs))))

    @staticmethod
    def removal(proposer, org):
        return proposer, "propose", text(1, proposer.encode()) + text(11, text(1, org.encode()))

    @staticmethod
    def threshold(proposer, percent):
        setting = number(1, VOTE_THRESHOLD_PERCENT) + number(2, percent)
        return proposer, "propose", text(1, proposer.encode()) + text(15, text(1, setting))

    @staticmethod
    def vote(org, proposal):
        return org, "vote", text(1, org.encode()) + text(2, proposal) + number(3, YES)


@pytest.fixture
def council():
    made = Council()
    try:
        yield made
    finally:
        made.net.close()


def organisations(node):
    return len(node.get("/v1/orgs?limit=100")["orgs"])


def carried_out(results):
    assert {name for _, name in results} == {"OK"}
    return [tx_id for tx_id, _ in results]


def test_a_lower_threshold_that_removes_32_organisations_stops_nobody(council):
    """Each removal stands one vote short; the threshold falls, and all are counted again."""
    c, nodes = council, council.net.validators
    proposers = [STAYING[i // 8] for i in range(len(LEAVING))]
    proposals = carried_out(c.send_all([c.removal(by, org) for by, org in zip(proposers, LEAVING)]))
    voters = STAYING + LEAVING[16:]  # 32 of 48: 33 are needed
    carried_out(c.send_all([c.vote(org, p) for p, by in zip(proposals, proposers) for org in voters if org != by]))
    lower, = carried_out(c.send_all([c.threshold("o15", 51)]))
    carried_out(c.send_all([c.vote(org, lower) for org in LEAVING[:31]]))
    assert organisations(nodes[0]) == len(STAYING + LEAVING)
    before = nodes[0].height()
    carried_out(c.send_all([c.vote(LEAVING[31], lower)]))

    for node in nodes:
        wait_for(f"32 organisations gone on {node.name}", lambda n=node: organisations(n) == len(STAYING), 30)
        assert node.process.poll() is None
        assert "assert" not in node.log().lower()
    assert nodes[0].height() - before >= len(LEAVING)  # one in a block
    # And it goes on: those who stay decide, and a node that starts again runs the same blocks to the same end.
    nodes[3].kill()
    higher, = carried_out([c.send(*c.threshold("o15", 67), nodes[0])])
    for org in STAYING[:8]:
        assert c.send(*c.vote(org, higher), nodes[1])[1] == "OK"
    nodes[3].start()
    head = council.net.wait_equal()
    assert head["height"] > before + len(LEAVING)
    council.net.blocks_agree()
