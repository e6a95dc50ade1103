"""What the other tests stand on: ports that nobody else can have."""
import pathlib
import socket
import subprocess
import sys

import pytest

import ports
from ports import STEP, Ports

HERE = pathlib.Path(__file__).parent


def several(count, nodes=1):
    taken = []
    try:
        for _ in range(count):
            taken.append(Ports(nodes))
        return [each.base for each in taken]
    finally:
        for each in taken:
            each.close()


def test_no_outgoing_connection_can_be_given_a_port_of_a_network():
    for base in several(50, nodes=6):
        assert 1024 < base and base + 6 * STEP <= ports.highest()


def test_networks_side_by_side_share_no_port():
    bases = several(200, nodes=2)
    shares = {base + STEP * i for base in bases for i in range(2)}
    assert len(shares) == 2 * len(bases)


def test_what_another_process_has_reserved_is_passed_over_until_it_ends(monkeypatch):
    program = "import ports, sys; a = ports.Ports(); print(a.base, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        base = int(other.stdout.readline())
        monkeypatch.setattr(ports, "LOWEST", base)
        monkeypatch.setattr(ports, "highest", lambda: base + STEP + 1)  # leaves one choice
        with pytest.raises(RuntimeError, match="are free"):
            Ports()
        other.kill()
    own = Ports()
    assert own.base == base
    own.close()


def test_a_port_that_somebody_listens_on_is_passed_over(monkeypatch):
    own = Ports()
    base = own.base
    own.close()
    with socket.create_server(("127.0.0.1", base + STEP - 1)):
        monkeypatch.setattr(ports, "LOWEST", base)
        monkeypatch.setattr(ports, "highest", lambda: base + STEP + 1)
        with pytest.raises(RuntimeError, match="are free"):
            Ports()
