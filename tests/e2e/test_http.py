"""What nodes say of their HTTP API (/openapi.json), held against what they answer, and against docs/http.md.

The property test makes arguments of its own, right and wrong ones, from the description alone: nothing may end in a fault of
the node's, and every answer must be one that the description has.
"""
import json
import os
import pathlib
import random
import re
import sys
import urllib.error
import urllib.request

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import net as networks
from net import CLASS, assay_json, figure

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "check"))
import http_docs  # noqa: E402

CASES = 25  # of each operation


class Site:
    """A network with something in it: a release that was pushed, and its device's gateway."""

    def __init__(self):
        self.net = networks.Net(gateways=1)
        self.net.start()
        full = self.net.validators[0]
        key, admin = self.net.dir / "keys" / "author-acme-1.key", self.net.dir / "keys" / "admin-acme.key"
        self.release = self.net.publish(self.net.image("fw.bin", random.Random(9).randbytes(30_000)), "1.2.3")
        self.update = assay_json("update", "push", "--node", full.url, "--key", key, "--release", self.release["release_id"],
                                 "--device", self.net.dir / "keys" / "device-1.key")
        self.author = assay_json("key", "show", key)["public_key"]
        self.proposals = [assay_json("proposal", "new", *what, "--node", full.url, "--key", admin, "--org", "acme")["proposal_id"]
                          for what in (("set-params", "--set", "heartbeat_ms=1000"), ("rotate-admins", "acme", "--admin", self.author),
                                       ("admit-org", "newco", "--kind", "owner", "--name", "New Co", "--admin", "ab" * 32))]
        self.token = self.log_in(full, key)
        self.full, self.gateway = full, self.net.gateways[0]

    def log_in(self, node, key):
        secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key.read_text().split()[2]))
        status = node.get("/v1/status")
        challenge = self.post(node, "/v1/auth/challenge", key=self.author)["challenge"]
        text = b"assay.auth".ljust(16, b"\0") + bytes.fromhex(status["chain_id"] + status["node_id"] + challenge)
        return self.post(node, "/v1/auth/token", key=self.author, challenge=challenge, signature=secret.sign(text).hex())["token"]

    def post(self, node, path, **members):
        return json.loads(ask(node.url, "post", path, body=json.dumps(members).encode())[2])

    def known(self):
        """Values that are right, by the argument's name."""
        return {"height": ["0", "1", "latest"], "class": [CLASS], "cid": [self.release["cid"]], "contract": ["firmware"],
                "sender": [self.author], "id": [self.release["release_id"], self.update["update_id"], self.update["tx_id"],
                                                *self.proposals]}


@pytest.fixture(scope="module")
def site():
    made = Site()
    try:
        yield made
    finally:
        made.net.close()


def ask(base, method, path, token=None, body=None):
    """(status, media type, body)"""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(base + path, data=body, method=method.upper(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers.get_content_type(), refused.read()


def strict(description):
    """Its schemas as they are, but with no member beside those they list: none may be answered that is not described."""
    def close(schema):
        if isinstance(schema, dict):
            closed = {name: close(part) for name, part in schema.items()}
            if isinstance(schema.get("properties"), dict) and schema["properties"]:
                closed["additionalProperties"] = False
            return closed
        return [close(part) for part in schema] if isinstance(schema, list) else schema
    return close(description["components"])


def check(description, operation, status, media, body):
    """Is it an answer that the description has?"""
    responses = operation["responses"]
    response = responses.get(str(status), responses["default"])
    if "$ref" in response:
        response = description["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    content = response.get("content")
    if content is None:
        assert not body, (status, body[:200])
        return
    assert media in content, (status, media, sorted(content))
    if "schema" in content[media]:
        schema = {**content[media]["schema"], "components": strict(description)}
        jsonschema.Draft202012Validator(schema).validate(json.loads(body))


def value(r, parameter, known):
    schema, name = parameter["schema"], parameter["name"]
    if name in known and r.random() < 0.7:
        return r.choice(known[name])
    if r.random() < 0.2:  # wrong, most likely
        return r.choice(["", "x", "-1", "0x10", "9" * 25, "%00", "%ff%fe", "é", "../..", "a" * 3000, "null", "1e3", " 1", "{}"])
    if schema["type"] == "integer":
        return str(r.choice([schema["minimum"], schema["maximum"], r.randint(schema["minimum"], schema["maximum"])]))
    if "enum" in schema:
        return r.choice(schema["enum"])
    if digits := re.match(r"\^\[0-9a-fA-F\]\{(\d+)\}\$", schema.get("pattern", "")):
        return "".join(r.choice("0123456789abcdef") for _ in range(int(digits[1])))
    return "".join(r.choice("abcdef0123456789") for _ in range(2 * r.randint(1, min(20, max(1, schema["maxLength"] // 2)))))


def quoted(text):
    return text if text.startswith("%") else urllib.request.quote(text, safe="/" if text == CLASS else "")


def request_of(r, path, operation, known):
    query = []
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quoted(value(r, parameter, known)) or "x")
        elif parameter["required"] or r.random() < 0.5:
            query.append(f"{parameter['name']}={quoted(value(r, parameter, known))}")
    if r.random() < 0.05:
        query.append("nonsense=1")
    body = None
    if "requestBody" in operation:
        body = r.choice([b"", b"{}", b"[]", b'{"key":1}', b'{"key":"00"}', b"\xff" * 40, r.randbytes(229), r.randbytes(3000),
                         json.dumps({"key": known["sender"][0]}).encode()])
    return path + ("?" + "&".join(query) if query else ""), body


def hold(base, token, known, seed):
    """Every operation with arguments of all sorts; gives how many answers were good and how many refused."""
    description = http_docs.ask(base)
    r, good, refused = random.Random(seed), 0, 0
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if "x-events" in operation:  # endless where it is right
                continue
            for _ in range(CASES):
                asked, body = request_of(r, path, operation, known)
                status, media, answer = ask(base, method, asked, r.choice([None, token, "nonsense"]), body)
                try:
                    assert status < 500 or status in (503, 504), answer
                    check(description, operation, status, media, answer)
                except Exception as wrong:
                    raise AssertionError(f"seed {seed}: {method} {asked}: {status} {media}: {wrong}") from wrong
                good, refused = good + (status < 400), refused + (status >= 400)
    return good, refused


def test_every_answer_is_one_that_the_description_has(site):
    seed = int(os.environ.get("SEED", random.SystemRandom().getrandbits(32)))
    for node in (site.full, site.gateway):
        good, refused = hold(node.url, site.token, site.known(), seed)
        assert good > 50 and refused > 20
        figure(f"{node.name} against its description, seed {seed}: {good} answers, {refused} refusals")


@pytest.mark.parametrize("which", ["full", "gateway"])
def test_the_description_is_sound(site, which):
    description = http_docs.ask(getattr(site, which).url)
    assert description["openapi"] == "3.1.0"
    for name, schema in description["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["description"], name
        for kind in schema.get("oneOf", [schema]):
            for member, what in kind["properties"].items():
                assert what["description"].endswith((".", "?")), f"{name}.{member} says nothing of itself"
    operations = [operation for item in description["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(parameter["description"] for operation in operations for parameter in operation["parameters"])


def test_what_is_there_answers_as_described(site):
    """With the right arguments, so that what the property test only meets by luck is held for sure."""
    description, checked = http_docs.ask(site.full.url), 0
    known = site.known()
    for path, arguments in [("/v1/releases/{id}", known["id"][:1]), ("/v1/updates/{id}", known["id"][1:2]),
                            ("/v1/updates/{id}/history", known["id"][1:2]), ("/v1/txs/{id}", known["id"][2:3]),
                            ("/v1/proposals/{id}", known["id"][3:]), ("/v1/blocks/{height}", known["height"]),
                            ("/v1/blocks/{height}/txs", known["height"]), ("/v1/proposals", [""]), ("/v1/devices", [""]),
                            ("/v1/orgs", [""]), ("/v1/nodes", [""]), ("/v1/authors", [""]), ("/v1/updates", [""]),
                            ("/v1/releases", [""]), ("/v1/params", [""]), ("/v1/blobs", [""]), ("/v1/snapshots", [""])]:
        for argument in arguments:
            asked = re.sub(r"\{\w+\}", argument, path)
            status, media, body = ask(site.full.url, "get", asked, site.token)
            assert status == 200, (asked, body)
            check(description, description["paths"][path]["get"], status, media, body)
            checked += 1
    assert checked > 20


def test_a_history_comes_in_pages_of_devices_and_nothing_is_left_out(site):
    path = f"/v1/updates/{site.update['update_id']}/history"
    whole = site.full.get(path)
    assert whole["next_after"] is None and {entry["device_id"] is None for entry in whole["history"]} == {True, False}
    first = site.full.get(path + "?limit=1")
    rest = site.full.get(path + f"?limit=1&after={first['next_after']}")
    assert first["history"] == whole["history"] and rest["history"] == [] and rest["next_after"] is None


def test_what_a_sender_is_free_to_choose_is_always_text(site):
    update = json.loads(ask(site.full.url, "get", f"/v1/updates/{site.update['update_id']}")[2])
    assert re.fullmatch(r"\d+", update["time_sent_ms"]) and isinstance(update["window_ms"], int)
    assert re.fullmatch(r"\d+", update["devices"][0]["counter"])


def test_head_answers_as_get_without_a_body(site):
    for path in ("/v1/status", "/v1/orgs", "/livez"):
        status, media, body = ask(site.full.url, "head", path)
        assert (status, body) == (200, b"") and media == ask(site.full.url, "get", path)[1]


def test_the_page_is_what_nodes_say(site):
    """`make docs-http` writes it."""
    assert http_docs.render(http_docs.ask(site.full.url), http_docs.ask(site.gateway.url)) == http_docs.PAGE.read_text()
