"""Transactions made here instead of by `assay` (docs/formats.md, Transaction): many, of any size and expiry, and kept, so that
the very same bytes can be sent again.
"""
import collections
import hashlib
import http.client
import json
import os
import threading
import urllib.parse
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from net import CLASS, PATIENCE

TAG = b"assay.tx".ljust(16, b"\0")
BYTES, NUMBER = 2, 0  # wire types of protobuf

Envelope = collections.namedtuple("Envelope", "id bytes expiry_ms")


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """One field of a protobuf message; defaults are left out, as everywhere."""
    if not value:
        return b""
    if isinstance(value, int):
        return varint(number << 3 | NUMBER) + varint(value)
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def class_id(name=CLASS):
    domain, kind = name.split("/")
    return uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_DNS, domain), kind).bytes


def private_key(path):
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().split()[2]))


def public_of(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class Author:
    """Makes transactions of one key for one chain. `rng` makes the salts, so that a seed makes the same bytes."""

    def __init__(self, net, key="author-acme-1", rng=None):
        self.chain = bytes.fromhex(net.validators[0].get("/v1/status")["chain_id"])
        self.key = private_key(net.key(key))
        self.admin = private_key(net.key("admin-acme"))
        self.salt = rng.randbytes if rng else os.urandom

    def envelope(self, contract, method, args, expiry_ms, key=None):
        key = key or self.key
        body = (b"\x01" + self.chain + b"\x01" + public_of(key) + expiry_ms.to_bytes(8, "big") + self.salt(8) +
                bytes([len(contract)]) + contract.encode() + bytes([len(method)]) + method.encode() +
                len(args).to_bytes(4, "big") + args)
        whole = b"\x01" + len(body).to_bytes(4, "big") + body + key.sign(TAG + body)
        return Envelope(hashlib.sha256(body).hexdigest(), whole, expiry_ms)

    def push(self, release_id, expiry_ms):
        args = field(1, bytes.fromhex(release_id)) + field(3, class_id())
        return self.envelope("update", "push", args, expiry_ms)

    def small(self, expiry_ms):
        """One of few bytes. The contract refuses it for what the state holds, so it stands in a block with its receipt."""
        return self.push(os.urandom(32).hex(), expiry_ms)

    def large(self, size, expiry_ms):
        """The same of `size` bytes of arguments: only proposals and releases may be so long."""
        args = field(1, os.urandom(size // 2).hex().encode()) + field(11, field(1, b"nobody"))
        return self.envelope("governance", "propose", args, expiry_ms, self.admin)


class Client:
    """Asks one node over one connection, which is made again when it has gone; for one thread."""

    def __init__(self, node):
        self.node = node
        self.connection = None

    def ask(self, method, path, body=None, headers=None):
        """(status, answer); (0, {}) when the node does not answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.node.url).netloc, timeout=PATIENCE * 10)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return 0, {}

    def get(self, path):
        return self.ask("GET", path)

    def post(self, envelope, wait="finalized", timeout_ms=30000):
        return self.ask("POST", f"/v1/txs?wait={wait}&timeout_ms={timeout_ms}", envelope.bytes,
                        {"Content-Type": "application/octet-stream"})

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def code_of(answer):
    """The name of a refusal; "" for none."""
    return answer.get("error", {}).get("code", "")


def post_all(node, envelopes, wait="accepted", workers=4, timeout_ms=30000):
    """Posts them over several connections; gives (envelope, status, code) for each, in any order."""
    queue, done = collections.deque(envelopes), []

    def work():
        client = Client(node)
        while True:
            try:
                envelope = queue.popleft()
            except IndexError:
                break
            status, answer = client.post(envelope, wait, timeout_ms)
            done.append((envelope, status, code_of(answer)))
        client.close()
    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done
