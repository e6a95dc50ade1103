"""The network as an enemy: an HTTP proxy that alters, delays, replays and drops, and the device protocol to alter it by.

A proxy stands before one server. `request` sees each request before it is passed on and may change it or answer in the
server's place; `answer` sees each answer and may change it or give another. Both run on the connection's own thread.
"""
import http.client
import http.server
import threading
import urllib.parse


class Message:
    """A request (method, path) or an answer (status); `body` is bytes, or for an answer anything that yields bytes."""

    def __init__(self, headers, body, method=None, path=None, status=200):
        self.headers = dict(headers)
        self.body = body
        self.method = method
        self.path = path
        self.status = status


def say(status, body=b"", content_type="application/json"):
    """An answer made up by the attacker."""
    return Message({"Content-Type": content_type}, body, status=status)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def pass_on(self, request):
        target = self.server.proxy.target
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        try:
            connection.request(request.method, request.path, request.body or None, request.headers)
            got = connection.getresponse()
            return Message(got.getheaders(), got.read(), status=got.status)
        finally:
            connection.close()

    def respond(self, answer):
        whole = isinstance(answer.body, bytes)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        if whole:
            self.send_header("Content-Length", str(len(answer.body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            for piece in [answer.body] if whole else answer.body:
                self.wfile.write(piece)

    def serve(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        request = Message(headers, body, method=self.command, path=self.path)
        try:
            if request.path.startswith("/v1/events"):
                answer = say(503)  # dropped: who listens has to ask instead
            else:
                answer = proxy.request(request) or self.pass_on(request)
                answer = proxy.answer(request, answer) or answer
            self.respond(answer)
        except OSError:
            self.close_connection = True
        except Exception as error:  # a test's own mistake must fail the test, not just this thread
            proxy.errors.append(error)
            self.close_connection = True

    do_GET = do_POST = do_HEAD = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Proxy:
    def __init__(self, target, request=None, answer=None):
        self.target = urllib.parse.urlsplit(target)
        self.errors = []
        self.behave(request, answer)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def behave(self, request=None, answer=None):
        """From the next message on; without arguments everything passes as it is."""
        self.request = request or (lambda _: None)
        self.answer = answer or (lambda *_: None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
        if self.errors:
            raise self.errors[0]


# ---- The device protocol (device/core/protocol.h): maps of small numbers to numbers, truths and byte strings ----------------

HELLO, CHECK, GET, STATEMENT = 1, 2, 3, 4
ENVELOPE, CLASS_PROOF, DELEGATION, IMAGE, STATUS_PROOF = 1, 2, 3, 4, 5
OK, NOT_YET, GONE, UNKNOWN_DEVICE, BAD_REQUEST = 0, 1, 2, 3, 4
DEVICE_PATH = "/device/v1"


def head(major, value):
    """A CBOR head in its shortest form."""
    if value < 24:
        return bytes([major << 5 | value])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | code]) + value.to_bytes(size, "big")
    raise ValueError(value)


def encode(value):
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(5, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def decode_at(data, at):
    first = data[at]
    major, value, at = first >> 5, first & 31, at + 1
    if major == 7:
        return first == 0xf5, at
    if value >= 24:
        size = 1 << (value - 24)
        value, at = int.from_bytes(data[at:at + size], "big"), at + size
    if major == 0:
        return value, at
    if major == 2:
        return data[at:at + value], at + value
    if major != 5:
        raise ValueError(f"not of the device protocol: {first:#x}")
    out = {}
    for _ in range(value):
        key, at = decode_at(data, at)
        out[key], at = decode_at(data, at)
    return out, at


def decode(data):
    value, end = decode_at(data, 0)
    if end != len(data):
        raise ValueError("bytes after the end")
    return value


def is_device(message):
    return message.path == DEVICE_PATH


def tamper(change):
    """An `answer` hook that decodes both messages of the device protocol; `change(request, answer)` edits the answer."""

    def hook(request, answer):
        if not is_device(request) or answer.status != 200:
            return None
        asked, said = decode(request.body), decode(answer.body)
        change(asked, said)
        answer.body = encode(said)
        return answer
    return hook


def gives(asked, said, what):
    """Is this a piece of such an object?"""
    return asked[1] == GET and asked[3] == what and said[2] == OK


def flip(data, at=0):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
