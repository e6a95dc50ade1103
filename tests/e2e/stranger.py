"""One process that attacks the peer ports of validators as a stranger: stranger.py KIND SECONDS SEED PORT:LINKKEY... CHAIN

  wrong-code    an initiation with a wrong code, then the connection ends, by FIN or RST
  half-open     connections that say nothing, as many as are let in, and held
  noise         random bytes, some with a length in front that fits
  initiation    initiations whose code is right (whoever reads the ledger can make it), from 200 addresses of loopback
Prints how many connections it made.
"""
import hashlib
import hmac
import random
import socket
import struct
import sys
import time

INITIATION, LEN = 1, 126
ADDRESSES = 200
LINGER_RST = struct.pack("ii", 1, 0)


def code_key(chain, link_key):
    psk = hashlib.sha256(b"assay.linkpsk".ljust(16, b"\0") + chain).digest()
    return hashlib.sha256(b"assay.linkcode".ljust(16, b"\0") + psk + link_key).digest()


def frame(datagram):
    return struct.pack(">I", len(datagram)) + datagram


def dial(port, rng, many_addresses):
    sock = socket.socket()
    sock.settimeout(5)
    if many_addresses:
        sock.bind((f"127.0.{1 + rng.randrange(2)}.{1 + rng.randrange(ADDRESSES // 2)}", 0))
    sock.connect(("127.0.0.1", port))
    return sock


def words(kind, rng, key):
    body = bytes([INITIATION]) + rng.randbytes(LEN - 1 - 16)
    if kind == "wrong-code":
        return frame(body + rng.randbytes(16))
    if kind == "noise":
        return (struct.pack(">I", LEN) if rng.random() < 0.5 else b"") + rng.randbytes(rng.randrange(1, 4000))
    if kind == "initiation":
        return frame(body + hmac.digest(key, body, "sha256")[:16])
    return b""


def main():
    kind, seconds, seed, *targets, chain = sys.argv[1:]
    rng = random.Random(int(seed))
    keys = {int(port): code_key(bytes.fromhex(chain), bytes.fromhex(link)) for port, link in (t.split(":") for t in targets)}
    held, made, end = [], 0, time.monotonic() + float(seconds)
    while time.monotonic() < end:
        port, sock = rng.choice(list(keys)), None
        try:
            sock = dial(port, rng, kind == "initiation")
            made += 1
            sock.sendall(words(kind, rng, keys[port]))
            if kind == "half-open":
                held.append(sock)
                if len(held) > 250:
                    held.pop(0).close()
                continue
            if rng.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
            time.sleep(0.002)
        except OSError:
            pass
        finally:
            if sock is not None and sock not in held[-1:]:
                sock.close()
    print(made)


if __name__ == "__main__":
    main()
