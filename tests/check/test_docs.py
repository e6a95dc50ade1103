"""What docs.py refuses, each on a small checkout of its own."""
import importlib.util
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
OPERATIONS = """# Operations

| key | default | meaning |
|---|---|---|
| node.role | validator | what it is |
| http.threads | 1,024 (all) | how many |
| http.sources, http.others | (empty) | whom it asks |

`GET /metrics`, Prometheus text. Watch first: `assay_height`.

| metric | meaning |
|---|---|
| `assay_height`, `assay_submit_accepted_total`, `_refused_total` | where it stands |
| `assay_stage_seconds` (by `stage`), `process_open_fds` | how long |

A gateway has `assay_gateway_`: `frozen`, `requests_KIND_total`.

### Health

| alarm | what |
|---|---|
| `stalled` | nothing becomes final |

## The HTTP API

| route | arguments | what |
|---|---|---|
| GET /livez, /metrics | | see Health |
| GET, HEAD /ipfs/{cid} | format=raw | a file |
| POST /v1/txs | | sends one |
| GET /v1/txs/{id} , /proof | | one, or its proof |
| GET /v1/events | types | server-sent events: tx, block, release |

A gateway has `POST /device/v1` and `/livez`.

### Error codes

| status | codes |
|---|---|
| 400 | BAD_PATH: the request; and a contract's code |
| 503 | BUSY, FROZEN: try again |
"""
CONTRACTS = """# Contracts

## Codes

| number | name | what |
|---|---|---|
| 0 | OK | done |
| 7 | TOO_MANY_WRITES | too much |
"""
CONFIG = """static const struct key keys[] = {
    CHOICE(node, role, roles, "validator", "what it is"),
    NUMBER(http, threads, 1, 64, "1024", "how many"),
    {"http", "sources", KEY_SOURCES, AT(http, sources), 0, 0, NULL, "",
     "whom it asks"},
    TEXT(http, others, "",
         "whom else"),
};
"""
API = """struct http_route routes[] = {
    {HTTP_GET, "/livez", get_livez}, {.method = HTTP_GET, .path = "/ipfs/{cid}"}, {HTTP_POST, "/v1/txs", post},
    {HTTP_GET, "/v1/txs/{id}", get}, {HTTP_GET, "/v1/txs/{id}/proof", get}, {HTTP_GET, "/v1/events", get},
};
struct more more[] = {{"/metrics", get_metrics}};
struct http_route device = {.method = HTTP_POST, .path = DEVICE_PATH};
void refuse_it(void) {
    http_error(400, "BAD_PATH", "hint");
    http_error(503,
               "BUSY", "hint");
    code = frozen ? "FROZEN" : NULL;
}
"""
METRICS = """static const char name[] = "assay_stage_seconds";
struct figure list[] = {{"height", "gauge", "h"}, {"submit_accepted_total", "counter", "a"},
    {"submit_refused_total",
     "counter", "r"}};
void say(void) {
    head_line(out, "process_open_fds", "gauge", "o");
    metric(out, "gateway_frozen", "gauge", "f");
    snprintf(name, sizeof name, "gateway_requests_%s_total", kind);
}
"""
CLEAN = {
    "docs/operations.md": OPERATIONS, "docs/contracts.md": CONTRACTS, "node/host/config.c": CONFIG, "node/api/api.c": API,
    "node/api/metrics.c": METRICS, "device/core/protocol.h": '#define DEVICE_PATH "/device/v1"\n',
    "node/api/events.c": 'case EVENT_TX:\n    return "tx";\ncase EVENT_OF_BLOCK:\n    return "block";\n',
    "contracts/kernel/code.h": "#define LIST(X) \\\n    X(0, OK, \"done\", \"\") \\\n    X(7, TOO_MANY_WRITES, \"\", \"\")\n",
    "contracts/kernel/contract.h": '#define EVENTS(X) X(RELEASE, "release")\n',
}
CHECKS = ("configuration", "codes", "routes", "errors", "metrics", "events")


@pytest.fixture
def gaps(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("docs", HERE / "docs.py")
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    monkeypatch.chdir(tmp_path)

    def build(name=None, old=None, new=None):
        for file, text in CLEAN.items():
            if file == name:
                assert old in text
                text = text.replace(old, new)
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return [gap for check in CHECKS for gap in getattr(docs, check)()]
    return build


def test_pages_that_name_all_there_is_have_no_gaps(gaps):
    assert gaps() == []


@pytest.mark.parametrize("file, old, new, gap", [
    ("node/host/config.c", "};", '    TEXT(node, org, "", "whose"),\n};', "docs/operations.md does not name the key node.org"),
    ("node/host/config.c", "};", '    {"node", "list", KEY_SOURCES, 0, "",\n     "of"},\n};', "does not name the key node.list"),
    ("node/host/config.c", '"1024"', '"2048"', "docs/operations.md: http.threads is '1,024 (all)', the code says '2,048'"),
    ("docs/operations.md", "http.sources, ", "http.sources, http.gone, ", "names the key http.gone, which the code does not have"),
    ("contracts/kernel/code.h", "X(0,", 'X(8, NEW, "", "") X(0,', "docs/contracts.md does not name the code 8 | NEW"),
    ("contracts/kernel/code.h", "X(7,", "X(9,", "docs/contracts.md names the code 7 | TOO_MANY_WRITES, which"),
    ("node/api/api.c", '"/v1/txs/{id}"', '"/v1/txs/{id}/x"', "docs/operations.md does not name the route /v1/txs/{id}/x"),
    ("node/api/api.c", "{HTTP_GET,", '{HTTP_GET, "/v1", get}, {HTTP_GET,', "does not name the route /v1"),
    ("node/api/api.c", '{"/metrics",', '{"/v1/mine", get_mine}, {"/metrics",', "does not name the route /v1/mine"),
    ("device/core/protocol.h", "/device/v1", "/device/v2", "does not name the route /device/v2"),
    ("docs/operations.md", " , /proof |", " , /gone |", "names the route /v1/txs/{id}/gone, which the code does not have"),
    ("docs/operations.md", "| GET /v1/events |", "| GET /v1/event |", "does not name the route /v1/events"),
    ("node/api/api.c", '"BAD_PATH"', '"BAD_PATHS"', "docs/operations.md does not name the error BAD_PATHS"),
    ("node/api/api.c", '"BUSY"', '"DOZY"', "does not name the error DOZY"),
    ("node/api/api.c", '"FROZEN"', '"MOLTEN"', "does not name the error MOLTEN"),
    ("node/api/api.c", '400, "BAD_PATH"', '404, "BAD_PATH"', "does not name the error BAD_PATH under 404"),
    ("docs/operations.md", "BUSY, ", "BUSY, GONE, ", "names the error GONE, which the code does not have"),
    ("node/api/metrics.c", '{{"height",', '{{"depth", "gauge", "d"}, {"height",', "does not name the metric assay_depth"),
    ("node/api/metrics.c", '"submit_refused_total"', '"submit_bad_total"', "does not name the metric assay_submit_bad_total"),
    ("node/api/metrics.c", '"gateway_frozen"', '"gateway_cold"', "does not name the metric assay_gateway_cold"),
    ("node/api/metrics.c", '"process_open_fds"', '"process_fds"', "does not name the metric process_fds"),
    ("node/api/metrics.c", '"assay_stage_seconds"', '"assay_stages"', "does not name the metric assay_stages"),
    ("docs/operations.md", "`_refused_total`", "`_refused_total`, `_gone_total`", "names the metric _gone_total, which the code"),
    ("docs/operations.md", "`frozen`", "`frozen`, `gone`", "names the metric assay_gateway_gone, which the code does not have"),
    ("contracts/kernel/contract.h", '"release"', '"update"', "docs/operations.md does not name the event update"),
    ("node/api/events.c", '"tx"', '"transaction"', "does not name the event transaction"),
    ("docs/operations.md", "tx, block, release", "tx, block, release, alarm", "names the event alarm, which the code does not have"),
])
def test_what_the_pages_lack_or_invent_is_told(gaps, file, old, new, gap):
    found = gaps(file, old, new)
    assert any(gap in line for line in found), found
