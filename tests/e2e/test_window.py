"""How far back ids of transactions count: as far as one that is alive can have been executed, whatever the lifetime does and
whoever says otherwise.
"""
import hashlib
import json
import re
import shutil
import time

import pytest

from clocks import ClockedNet
from envelopes import Author, Client, code_of, post_all
from net import wait_for
from proxy import Proxy
from test_membership import Consortium
from test_snapshot import settings

LIFETIME_MS = 60_000  # the least that can be voted
EXPIRES_MS = 150_000
ALREADY = (409, "TX_ALREADY_EXECUTED")


class MovingConsortium(Consortium, ClockedNet):
    """A consortium whose clocks move ahead, all at once, while it runs."""


def joined_height(node):
    """Where the node's last start joined by snapshot; None: it did not."""
    lines = [line for line in node.log().splitlines() if "snapshot.joined" in line]
    return int(lines[-1].split("height=")[1].split()[0]) if lines else None


def lose(node, *what):
    """Stops a node and takes folders of its data away, never the vote journal."""
    assert node.stop() == 0
    for name in what:
        shutil.rmtree(node.home / "data" / name, ignore_errors=True)


def block_time(node, height):
    return node.get(f"/v1/blocks/{height}")["time_ms"]


def test_an_id_counts_as_long_as_its_transaction_lives_though_the_lifetime_was_cut():
    net = MovingConsortium()
    try:
        for node in net.validators:
            settings(node, interval_blocks=8)
        net.start(net.validators)
        first, *others = net.validators
        release = net.publish(net.image("a.bin", b"a" * 1000))["release_id"]
        author = Author(net)
        x = author.push(release, net.now_ms() + EXPIRES_MS)
        status, done = Client(first).post(x)
        assert status == 200 and done["result"]["code"] == 0
        executed_ms = block_time(first, done["height"])
        net.decide("set-params", "--set", "heartbeat_ms=100", "--set", f"tx_max_lifetime_ms={LIFETIME_MS}")

        net.pass_time(68)  # X is older than a transaction may become now, and alive

        def late_snapshot():
            offered = first.get("/v1/snapshots")["snapshots"]
            return offered and max(s["time_ms"] for s in offered) > executed_ms + LIFETIME_MS
        wait_for("a snapshot of then", late_snapshot, 20)
        for node in others:
            lose(node, "state", "blocks", "snapshots")
            node.start()
            assert block_time(first, joined_height(node)) > executed_ms + LIFETIME_MS
            net.wait_height(first.height(), [node])

        net.pass_time(27)  # X expires within the lifetime: nothing but its id speaks against it
        assert net.now_ms() < x.expiry_ms < net.now_ms() + LIFETIME_MS
        answers = [Client(node).post(x, "accepted") for node in net.validators]
        assert [(status, code_of(answer)) for status, answer in answers] == [ALREADY] * 4
        fresh = author.push(release, net.now_ms() + LIFETIME_MS // 2)
        status, later = Client(others[0]).post(fresh)
        assert status == 200
        net.wait_height(later["height"])
        net.wait_equal()
        assert all(node.process.poll() is None for node in net.validators)
    finally:
        net.close()


# ---- A source whose snapshot begins too late -----------------------------------------------------------------------

STATE_ENTRY, BODY_ENTRY = 36, 44  # bytes of a chunk in a manifest
CONTENT_TAG = b"assay.snapshot".ljust(16, b"\0")


class Liar(Proxy):
    """Stands before a full node and offers its snapshot without all but the last `kept` of its body chunks. Every chunk that
    is left is the true one, the block is certified, and the content id is that of what is offered."""

    def __init__(self, node, kept):
        self.kept = kept
        self.height, self.first_chunk, self.left_out, self.manifest = None, 0, 0, b""
        self.forge(node)
        super().__init__(node.url, self.redirect, self.lie)

    def forge(self, node):
        self.height = max(s["height"] for s in node.get("/v1/snapshots")["snapshots"])
        raw = node.get_bytes(f"/v1/snapshots/{self.height}/manifest")
        bits_at = 4 + 1 + 32 + 8 + 32
        self.first_chunk = 1 << raw[bits_at]
        count_at = bits_at + 1 + STATE_ENTRY * self.first_chunk
        count = int.from_bytes(raw[count_at:count_at + 4], "big")
        self.left_out = count - self.kept
        assert self.left_out > 0, f"{count} body chunks"
        bodies_at = count_at + 4
        bundle_at = bodies_at + BODY_ENTRY * count
        head = raw[:count_at] + self.kept.to_bytes(4, "big") + raw[bodies_at + BODY_ENTRY * self.left_out:bundle_at]
        self.content = hashlib.sha256(CONTENT_TAG + head).hexdigest()
        self.manifest = head + raw[bundle_at:]

    def redirect(self, request):
        parts = request.path.split("/")
        if parts[-2] == "chunks" and int(parts[-1]) >= self.first_chunk:
            parts[-1] = str(int(parts[-1]) + self.left_out)
            request.path = "/".join(parts)

    def lie(self, request, answer):
        if request.path == "/v1/snapshots":
            offered = json.loads(answer.body)
            offered["snapshots"] = [dict(s, content=self.content) for s in offered["snapshots"] if s["height"] == self.height]
            answer.body = json.dumps(offered).encode()
        elif request.path.endswith("/manifest"):
            answer.body = self.manifest


@pytest.fixture(scope="module")
def offering_net():
    """Validator 0 has snapshots up to a height, validator 1 up to a higher one; each with several body chunks."""
    net = Consortium(joiners=5)
    try:
        for node, interval in zip(net.validators, (30, 40, 0, 0)):
            settings(node, interval_blocks=interval)
        net.start(net.validators)
        net.sent = []
        author = Author(net)
        while net.validators[0].height() < 42:
            some = [author.large(60_000, int(1000 * time.time()) + 600_000) for _ in range(4)]
            assert all(status == 200 for _, status, _ in post_all(net.validators[0], some, "finalized"))
            net.sent += some
        for node, height in zip(net.validators, (30, 40)):
            wait_for(f"the snapshot of {node.name}", lambda n=node, h=height:
                     max([s["height"] for s in n.get("/v1/snapshots")["snapshots"]], default=0) == h)
        yield net
    finally:
        net.close()


def knows_every_id(net, node):
    answers = post_all(node, net.sent, "accepted")
    assert all((status, code) == ALREADY for _, status, code in answers), answers


def names(node, source):
    """The line with which a node drops a source that lied."""
    return [line for line in node.log().splitlines()
            if "snapshot.source" in line and source.url in line and "do not reach back far enough" in line]


def join_from(node, *urls):
    path = node.home / "assay.conf"
    head, section = path.read_text().split("[snapshot]")
    path.write_text(f"{head}[snapshot]" + re.sub(r"(?m)^sources\s*=.*$", f"sources = {','.join(urls)}", section, count=1))


@pytest.mark.parametrize("place, kept", [(0, 1), (1, 1), (1, 2)], ids=["as high", "higher", "higher, nearly whole"])
def test_whoever_leaves_bodies_out_is_named_and_the_honest_one_is_joined_from(offering_net, place, kept):
    net = offering_net
    with Liar(net.validators[place], kept) as liar:
        joiner = net.new_node()
        join_from(joiner, liar.url, net.validators[0].url)
        joiner.start()
        assert len(names(joiner, liar)) == 1, joiner.log()
        assert joined_height(joiner) == 30
    net.wait_height(net.validators[0].height(), [joiner])
    knows_every_id(net, joiner)
    net.wait_equal([net.validators[0], joiner])


def test_with_a_liar_alone_nothing_of_its_is_installed(offering_net):
    net = offering_net
    with Liar(net.validators[1], 1) as liar:
        joiner = net.new_node()
        join_from(joiner, liar.url)
        joiner.start()
        assert len(names(joiner, liar)) == 1, joiner.log()
        assert joined_height(joiner) is None
    net.wait_height(net.validators[0].height(), [joiner])  # block by block
    assert joiner.get("/v1/blocks/1")["hash"] == net.validators[0].get("/v1/blocks/1")["hash"]
    knows_every_id(net, joiner)
    net.wait_equal([net.validators[0], joiner])
