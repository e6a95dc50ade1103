"""What whoever reaches a node's HTTP can make it do: without a key, with a device's key, with a member's."""
import http.client
import json
import os
import re
import socket
import struct
import threading
import time
import urllib.parse

import pytest

from envelopes import Author, Client, code_of, field, post_all, private_key, public_of
from net import CLASS, Net, Refused, wait_for

STATEMENT_TAG = b"assay.statement".ljust(16, b"\0")
VERIFY = 2


@pytest.fixture(scope="module")
def net():
    network = Net()
    try:
        yield network.start(network.validators)
    finally:
        network.close()


class Speaker:
    """A device that makes statements about one update."""

    def __init__(self, net, update_id, key="device-1"):
        self.chain = bytes.fromhex(net.validators[0].get("/v1/status")["chain_id"])
        self.key = private_key(net.key(key))
        self.update = bytes.fromhex(update_id)
        self.counter = 0

    def verify(self, digest=bytes(32)):
        self.counter += 1
        text = (b"\x01" + self.chain + public_of(self.key) + self.update + struct.pack(">QBBH", self.counter, VERIFY, 0, 0) +
                digest + bytes(8) + os.urandom(16))
        return text + self.key.sign(STATEMENT_TAG + text)


def say(net, update, body):
    client = Client(net.validators[0])
    status, answer = client.ask("POST", f"/v1/updates/{update}/verify", body, {"Content-Type": "application/octet-stream"})
    client.close()
    return status, answer


def transactions(net):
    blocks = net.validators[0].get("/v1/blocks?limit=200")["blocks"]
    return sum(block["tx_count"] for block in blocks)


def test_nobody_makes_a_node_sign_what_the_ledger_would_refuse(net):
    release = net.publish(net.image("a.bin", b"a" * 5000), "1.0.0")["release_id"]
    update = net.push(release, device=net.device_id())["update_id"]
    speaker = Speaker(net, update)
    before = transactions(net)
    good = speaker.verify()
    for body, code in ((good[:-1] + bytes([good[-1] ^ 1]), "STATEMENT_SIGNATURE"),
                       (Speaker(net, update, "author-acme-1").verify(), "UPDATE_NOT_A_TARGET")):
        for _ in range(20):
            status, answer = say(net, update, body)
            assert (status, code_of(answer)) == (400, code), answer
    nowhere = os.urandom(32).hex()
    status, answer = say(net, nowhere, Speaker(net, nowhere).verify())
    assert (status, code_of(answer)) == (400, "UPDATE_UNKNOWN"), answer
    assert transactions(net) == before, "something was signed and recorded"

    status, first = say(net, update, good)
    assert status == 200 and "UPDATE_HASH_MISMATCH" in first["result"]["detail"], first
    for _ in range(20):  # a repetition has its answer, and costs nothing
        status, again = say(net, update, good)
        assert status == 200 and again["result"]["detail"] == first["result"]["detail"], again
    assert transactions(net) == before + 1
    bodies, answers = [speaker.verify() for _ in range(20)], []
    for body in bodies:  # one device does not use up the node's own share
        answers.append(say(net, update, body)[0])
    assert answers.count(429) >= 10, answers


def test_a_devices_key_records_nothing_but_statements(net):
    device = Author(net, "device-1")
    before = transactions(net)
    soon = int(1000 * time.time()) + 60_000
    junk = [device.envelope("update", "push", field(1, os.urandom(60_000)), soon) for _ in range(10)]
    junk += [device.push(os.urandom(32).hex(), soon) for _ in range(10)]
    junk += [device.envelope("update", "report", field(1, os.urandom(200)), soon) for _ in range(10)]
    outcomes = post_all(net.validators[0], junk)
    assert {(status, code) for _, status, code in outcomes} == {(400, "UNKNOWN_SENDER"), (400, "STATEMENT_INVALID")}, outcomes
    assert transactions(net) == before


def test_streams_that_take_nothing_and_replays_hold_nobody_up(net):
    """Readers of everything since the beginning, of alarms alone, and of a contract that is none: /livez answers as ever."""
    author = Author(net)
    soon = int(1000 * time.time()) + 60_000
    post_all(net.validators[0], [author.small(soon) for _ in range(1500)], workers=8)
    wait_for("all are final", lambda: net.validators[0].status()["pending"] == 0, 60)
    stop = threading.Event()
    sender = public_of(author.key).hex()

    def ask(path):
        client = Client(net.validators[0])
        while not stop.is_set():
            client.get(path)
        client.close()
    paths = ["/v1/events?types=alarm&after=0", f"/v1/txs?sender={sender}&contract=nosuch", "/v1/blocks/1/txs?limit=1"]
    crowd = [threading.Thread(target=ask, args=(f"/v1/txs?sender={sender}&contract=nosuch",), daemon=True) for _ in range(12)]
    for thread in crowd:
        thread.start()
    streams = []
    for i in range(14):
        streams.append(open_stream(net.validators[0], paths[0] if i % 2 else "/v1/events?after=0"))
    try:
        slowest, client = 0, Client(net.validators[0])
        for _ in range(50):
            began = time.monotonic()
            with_status = net.validators[0].get_bytes("/livez", timeout=60)
            slowest = max(slowest, time.monotonic() - began)
            assert with_status == b"alive\n"
        client.close()
    finally:
        stop.set()
        for stream in streams:
            stream.close()
        for thread in crowd:
            thread.join()
    assert slowest < 20, f"/livez took {slowest:.2f} s"


def open_stream(node, path, last=None):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(node.url).netloc, timeout=60)
    connection.request("GET", path, headers={"Last-Event-ID": str(last)} if last is not None else {})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return answer


def test_a_stream_is_resumed_past_a_full_block(net):
    """Every event of blocks of many transactions comes, once, to a client that takes its time."""
    author = Author(net)
    first = net.validators[0].height()
    soon = int(1000 * time.time()) + 60_000
    for node in net.validators[2:]:  # what comes meanwhile becomes final in one block
        node.pause()
    sent = post_all(net.validators[0], [author.small(soon) for _ in range(1900)], workers=8)
    for node in net.validators[2:]:
        node.resume()
    taken = {envelope.id for envelope, status, _ in sent if status == 202}
    assert len(taken) > 1000
    wait_for("all are final", lambda: net.validators[0].status()["pending"] == 0, 60)
    last = net.validators[0].height()
    stream, heard = open_stream(net.validators[0], "/v1/events", last=first), []
    while True:
        line = stream.readline()
        assert line, f"the stream ended after {len(heard)} transactions"
        if line == b"event: tx\n":
            line = stream.readline()
            heard.append(line.split(b'"tx_id":"')[1][:64].decode())
        if line == f"id: {last}\n".encode():
            break
    stream.close()
    assert taken <= set(heard) and len(heard) == len(set(heard))
    assert max(block["tx_count"] for block in net.validators[0].get("/v1/blocks?limit=50")["blocks"]) > 1000


def token_of(net, key, node=None):
    """A member's token, as `assay` gets one."""
    node = node or net.validators[0]
    client, secret = Client(node), private_key(net.key(key))
    public = public_of(secret)
    status, answer = client.ask("POST", "/v1/auth/challenge", json.dumps({"key": public.hex()}), {"Content-Type": "application/json"})
    assert status == 200, answer
    facts = node.get("/v1/status")
    text = (b"assay.auth".ljust(16, b"\0") + bytes.fromhex(facts["chain_id"]) + bytes.fromhex(facts["node_id"]) +
            bytes.fromhex(answer["challenge"]))
    status, answer = client.ask("POST", "/v1/auth/token", json.dumps(
        {"key": public.hex(), "challenge": answer["challenge"], "signature": secret.sign(text).hex()}),
        {"Content-Type": "application/json"})
    assert status == 200, answer
    client.close()
    return answer["token"]


def begin_upload(net, token, size, path="/v1/blobs"):
    """An upload that has begun and stands still."""
    node = net.validators[0]
    held = socket.create_connection(("127.0.0.1", int(node.url.rsplit(":", 1)[1])))
    held.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {size}\r\n\r\n".encode())
    held.sendall(bytes(1000))
    return held


def open_files(node):
    return int(re.search(r"^process_open_fds (\d+)$", node.get_bytes("/metrics").decode(), re.M)[1])


def test_uploads_that_are_cut_are_forgotten_and_each_author_has_a_share(net):
    token = token_of(net, "author-acme-1")
    before = open_files(net.validators[0])
    held = [begin_upload(net, token, 1_000_000) for _ in range(4)]
    wait_for("four have begun", lambda: open_files(net.validators[0]) >= before + 8)
    client = Client(net.validators[0])
    status, answer = client.ask("POST", "/v1/blobs", b"x", {"Authorization": f"Bearer {token}"})
    assert (status, code_of(answer)) == (429, "TOO_MANY_UPLOADS"), answer
    for one in held:
        one.close()
    status, _ = wait_for("a place", lambda: client.ask("POST", "/v1/blobs", b"x", {"Authorization": f"Bearer {token}"})[0] == 200
                         and (200, None))
    wait_for("the files are closed", lambda: open_files(net.validators[0]) <= before + 2)
    parts = net.validators[0].home / "data" / "blobs" / "tmp"
    wait_for("nothing is left", lambda: not any(parts.iterdir()))
    client.close()


def test_an_image_that_no_slot_takes_is_refused_before_it_is_read(net):
    classes = net.validators[0].get("/v1/classes")["classes"]
    most = max(int(slot["max_size"]) for slot in classes[0]["slots"])
    token = token_of(net, "author-acme-1")
    held = begin_upload(net, token, most + 1, f"/v1/blobs?class={CLASS}")
    held.settimeout(60)
    assert b"RELEASE_TOO_BIG_FOR_SLOT" in held.recv(4096)  # long before the rest could have come
    held.close()
    count = len(net.validators[0].get("/v1/blobs")["blobs"])
    large = net.image("large.bin", bytes(most + 1))
    with pytest.raises(Refused, match="does not fit any component slot"):
        net.publish(large, "9.0.0")
    assert len(net.validators[0].get("/v1/blobs")["blobs"]) == count


def raw(net, request):
    """(status, head, body) of one request as it is sent; the connection is closed by then, or stands still."""
    port = int(net.validators[0].url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(request)
        text = sock.recv(65536)
        while b"\r\n\r\n" not in text:
            text += sock.recv(65536)
        head, _, body = text.partition(b"\r\n\r\n")
        closes = b"connection: close" in head.lower()
        while closes and (more := sock.recv(65536)):
            body += more
    return int(text.split()[1]), head.lower(), body


POST = b"POST /v1/txs HTTP/1.1\r\nHost: x\r\n"
TWO_WAYS = {
    "a length beside an encoding": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "two hosts": (b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a blank before the colon": (POST + b"Content-Length : 3\r\n\r\nabc", 400),
    "no known encoding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 501),
    "an encoding twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 501),
}


@pytest.mark.parametrize("name", TWO_WAYS)
def test_what_can_be_read_in_two_ways_is_refused_and_closed(net, name):
    request, status = TWO_WAYS[name]
    got, head, _ = raw(net, request + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got == status and b"connection: close" in head, head


def test_answers_are_what_clients_and_caches_expect(net):
    status, _, body = raw(net, b"GET http://x.example/livez HTTP/1.1\r\nHost: x.example\r\n\r\n")
    assert (status, body) == (200, b"alive\n")
    status, head, body = raw(net, b"HEAD /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status == 200 and b"text/event-stream" in head and body == b"", (head, body)
    cid = net.publish(net.image("cached.bin", os.urandom(5000)), "2.0.0")["cid"].encode()
    lines = b"If-None-Match: \"other\"\r\nIf-None-Match: \"" + cid + b"\"\r\n"
    status, head, body = raw(net, b"GET /ipfs/" + cid + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n")
    assert status == 304 and body == b"" and re.findall(rb"content-length: (\d+)", head) == [b"5000"], head
