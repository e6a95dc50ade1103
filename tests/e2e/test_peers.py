"""What we write, read by programs that others wrote: only in `make check-peers`, which has them installed."""
import hashlib
import importlib.metadata
import random

import pytest

from net import assay, assay_json, figure, refused

pytestmark = pytest.mark.peers

SUIT_AUTHENTICATION, SUIT_MANIFEST = 2, 3
SUIT_SEQUENCE, SUIT_COMMON = 2, 3
COMMON_SHARED_SEQUENCE = 4
OVERRIDE_PARAMETERS, IMAGE_DIGEST, IMAGE_SIZE = 20, 3, 14
SHA_256 = -16
COSE_ALG, EDDSA = 1, -8


@pytest.fixture
def peers():
    """cbor2 for CBOR, pyca/cryptography for signatures."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    import cbor2
    figure(f"peers: cbor2 {importlib.metadata.version('cbor2')}, cryptography {importlib.metadata.version('cryptography')}")
    return cbor2, Ed25519PublicKey


def signed_envelope(net):
    image = random.Random(5).randbytes(40_000)
    published = net.publish(net.image("fw.bin", image), "1.2.3")
    envelope = net.validators[0].get_bytes(f"/v1/releases/{published['release_id']}/envelope")
    return image, published, envelope


def parameters(cbor2, sequence):
    """All override-parameters of a command sequence, later ones over earlier ones."""
    found = {}
    commands = cbor2.loads(sequence)
    for name, argument in zip(commands[::2], commands[1::2]):
        if name == OVERRIDE_PARAMETERS:
            found.update(argument)
    return found


def test_a_release_is_read_and_its_signature_verified_by_others(net, peers):
    cbor2, Ed25519PublicKey = peers
    image, published, raw = signed_envelope(net)
    envelope = cbor2.loads(raw).value
    digest, *signatures = cbor2.loads(envelope[SUIT_AUTHENTICATION])
    algorithm, value = cbor2.loads(digest)
    manifest = envelope[SUIT_MANIFEST]
    covered = cbor2.dumps(manifest)  # the digest is of the manifest as a byte string, its head included
    assert algorithm == SHA_256 and hashlib.sha256(covered).digest() == value
    read = cbor2.loads(manifest)
    assert read[SUIT_SEQUENCE] == published["sequence"]
    shared = parameters(cbor2, cbor2.loads(read[SUIT_COMMON])[COMMON_SHARED_SEQUENCE])
    assert cbor2.loads(shared[IMAGE_DIGEST]) == [SHA_256, hashlib.sha256(image).digest()]
    assert shared[IMAGE_SIZE] == len(image)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(assay_json("key", "show", net.key("author-acme-1"))["public_key"]))
    assert len(signatures) == 1
    protected, _, payload, signature = cbor2.loads(signatures[0]).value
    assert cbor2.loads(protected)[COSE_ALG] == EDDSA and payload is None
    key.verify(signature, cbor2.dumps(["Signature1", protected, b"", digest]))  # raises when it does not hold


def test_what_others_sign_is_believed_and_what_they_signed_wrongly_is_not(net, peers):
    cbor2, _ = peers
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    _, _, raw = signed_envelope(net)
    tagged = cbor2.loads(raw)
    digest, first = cbor2.loads(tagged.value[SUIT_AUTHENTICATION])
    protected = cbor2.loads(first).value[0]
    own = Ed25519PrivateKey.generate()
    public = own.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
    for name, over in (("good", digest), ("bad", digest[:-1] + bytes([digest[-1] ^ 1]))):
        signature = own.sign(cbor2.dumps(["Signature1", protected, b"", over]))
        again = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, None, signature]))
        tagged.value[SUIT_AUTHENTICATION] = cbor2.dumps([digest, again])
        path = net.root / f"{name}.suit"
        path.write_bytes(cbor2.dumps(tagged))
        if name == "good":
            assert "verified" in assay("suit", "verify", "--key", public, path)
        else:
            assert refused("suit", "verify", "--key", public, path)
