"""Attackers who sit between two parties: HTTP proxies that change what passes.

`Middle` passes everything on. An attacker answers some requests itself (`instead`) or changes answers (`changed`).
The device protocol's messages (device/core/protocol.h) are CBOR maps; cbor_read and cbor_write handle as much as they use.
"""
import http.client
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEVICE_PATH = "/device/v1"
OPERATION, CODE = 1, 2
HELLO, CHECK, GET, STATEMENT = 1, 2, 3, 4
WHAT, OFFSET, LENGTH = 3, 5, 6
TOTAL, TAG, BYTES = 3, 4, 5
IMAGE, STATUS_PROOF = 4, 5
VERIFY = 2  # the kind of a statement, which stands behind version, chain, device, update and counter
KIND_AT = 1 + 32 + 32 + 32 + 8
SUCCESS = 5
OBJECTS = {1: "manifest", 2: "proof of the class", 3: "author's delegation", 4: "image", 5: "proof of the status"}
STATEMENTS = {1: "open, signed by the device", 2: "verify, signed by the device", 3: "report, signed by the device"}


def cbor_item(data, at):
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[low], at
    if low >= 24:
        length = 1 << (low - 24)
        low, at = int.from_bytes(data[at:at + length], "big"), at + length
    if major == 0:
        return low, at
    if major == 1:
        return -1 - low, at
    if major in (2, 3):
        return (bytes(data[at:at + low]) if major == 2 else data[at:at + low].decode()), at + low
    if major == 4:
        items = []
        for _ in range(low):
            item, at = cbor_item(data, at)
            items.append(item)
        return items, at
    if major == 5:
        items = {}
        for _ in range(low):
            key, at = cbor_item(data, at)
            items[key], at = cbor_item(data, at)
        return items, at
    raise ValueError(f"CBOR major type {major}")


def cbor_read(data):
    item, end = cbor_item(data, 0)
    if end != len(data):
        raise ValueError("bytes behind the CBOR item")
    return item


def cbor_head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for low, length in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * length):
            return bytes([major << 5 | low]) + value.to_bytes(length, "big")
    raise ValueError("number too large for CBOR")


def cbor_write(item):
    if isinstance(item, bool):
        return b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        return cbor_head(0, item)
    if isinstance(item, bytes):
        return cbor_head(2, len(item)) + item
    return cbor_head(5, len(item)) + b"".join(cbor_write(key) + cbor_write(value) for key, value in item.items())


class Middle:
    """A proxy in front of `url` that changes nothing. Use as a context manager; `self.url` is where it listens."""

    def __init__(self, url):
        self.upstream = urllib.parse.urlsplit(url)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"middle": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.times = 0  # how often the attacker did its evil

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def instead(self, method, path, request):
        """An answer's body to a request that goes no further, or None to pass it on."""

    def changed(self, method, path, request, answer):
        """What becomes of the body of a good answer."""
        return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    middle = None

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.behind = http.client.HTTPConnection(self.middle.upstream.hostname, self.middle.upstream.port, timeout=30)

    def finish(self):
        self.behind.close()
        super().finish()

    def log_message(self, format, *args):
        pass

    def pass_on(self):
        request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = self.middle.instead(self.command, self.path, request)
        if body is not None:
            self.reply(200, [("Content-Type", self.headers.get("Content-Type", "application/octet-stream"))], body)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        try:
            self.behind.request(self.command, self.path, request or None, headers)
            answer = self.behind.getresponse()
            if answer.getheader("Content-Type", "").startswith("text/event-stream"):
                self.stream(answer)
                return
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.behind.close()
            self.reply(502, [], b"")
            return
        kept = [(name, value) for name, value in answer.getheaders()
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive")]
        if self.command == "HEAD":
            self.reply(answer.status, kept, b"", answer.getheader("Content-Length", "0"))
        else:
            if answer.status in (200, 206):
                body = self.middle.changed(self.command, self.path, request, body)
            self.reply(answer.status, kept, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on

    def reply(self, status, headers, body, length=None):
        """In one write: two small ones would wait for each other's acknowledgement."""
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}",
                 *(f"{name}: {value}" for name, value in headers), f"Content-Length: {length or len(body)}", "", ""]
        try:
            self.wfile.write("\r\n".join(lines).encode("latin-1") + body)
        except OSError:
            self.close_connection = True

    def stream(self, answer):
        """Events, for as long as both sides stay."""
        self.close_connection = True
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            while chunk := answer.read1(65536):
                self.wfile.write(chunk)
        except (OSError, http.client.HTTPException):
            pass


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1:]


class ImageChanger(Middle):
    """Between a device and its gateway: one bit of the image is flipped whenever it passes."""

    def __init__(self, url, offset):
        super().__init__(url)
        self.offset = offset

    def changed(self, method, path, request, answer):
        if path != DEVICE_PATH:
            return answer
        asked, given = cbor_read(request), cbor_read(answer)
        if asked[OPERATION] != GET or asked[WHAT] != IMAGE or given[CODE] != 0:
            return answer
        within = self.offset - asked[OFFSET]
        if not 0 <= within < len(given[BYTES]):
            return answer
        self.times += 1
        return cbor_write({**given, BYTES: flip(given[BYTES], within)})


class Recorder(Middle):
    """Between a device and its gateway: watches, and keeps every answer but images, to show it again later.

    What it does with them is its mode:
      HONEST    passes everything on
      REPLAY    offers again what was offered before: genuine offer, envelope and proofs, only old
      LIE       keeps the device's `verify` from the ledger and says that it succeeded, with an old proof of that
      FORGE     the same, with the ledger's own proof of the present status in which one bit is turned
    """

    HONEST, REPLAY, LIE, FORGE = range(4)

    def __init__(self, url):
        super().__init__(url)
        self.mode = self.HONEST
        self.kept = {}
        self.seen = []  # (when, what) of each step a device took

    def note(self, what):
        if not self.seen or self.seen[-1][1] != what:
            self.seen.append((time.monotonic(), what))

    def watch(self, asked):
        operation = asked[OPERATION]
        if operation == GET:
            self.note(OBJECTS[asked[WHAT]])
        elif operation == STATEMENT:
            self.note(STATEMENTS[asked[3][KIND_AT]])
        else:
            self.note("hello" if operation == HELLO else "check")

    @staticmethod
    def place(asked):
        return (asked[OPERATION], *((asked[WHAT], asked[OFFSET]) if asked[OPERATION] == GET else ()))

    def changed(self, method, path, request, answer):
        if path != DEVICE_PATH:
            return answer
        asked, given = cbor_read(request), cbor_read(answer)
        self.watch(asked)
        if self.mode == self.HONEST:
            wanted = asked[OPERATION] == GET and asked[WHAT] != IMAGE or asked[OPERATION] == CHECK and given.get(3)
            if wanted and given[CODE] == 0:
                self.kept[self.place(asked)] = answer
        elif self.mode == self.FORGE and asked[OPERATION] == GET and asked[WHAT] == STATUS_PROOF and given[CODE] == 0:
            if asked[OFFSET] == 0:
                self.times += 1
                return cbor_write({**given, BYTES: flip(given[BYTES], len(given[BYTES]) // 2)})
        return answer

    def instead(self, method, path, request):
        if self.mode == self.HONEST or path != DEVICE_PATH:
            return None
        asked = cbor_read(request)
        if self.mode == self.REPLAY:
            again = self.kept.get(self.place(asked))
        elif asked[OPERATION] == STATEMENT and asked[3][KIND_AT] == VERIFY:
            again = cbor_write({0: 1, OPERATION: STATEMENT, CODE: 0, 3: 1, 4: SUCCESS, 5: True, 6: 0})
        elif self.mode == self.LIE and asked[OPERATION] == GET and asked[WHAT] == STATUS_PROOF:
            again = self.kept.get(self.place(asked))
        else:
            again = None
        if again is not None:
            self.times += 1
            self.watch(asked)
        return again


class LyingFullNode(Middle):
    """Between a gateway and a full node: every block of an image is changed."""

    def changed(self, method, path, request, answer):
        if method != "GET" or not path.startswith("/ipfs/") or not answer:
            return answer
        self.times += 1
        return flip(answer, len(answer) // 2)
