"""A field of a record is described once: whoever gives it another name in its table, and builds again, has JSON, schema,
documents, command line and gateway follow without another edit."""
import pathlib
import re
import shutil
import subprocess

import pytest

import net as networks
from net import assay, assay_json
from test_device import Device, image_of, pushed
from test_http import http_docs

TOP = pathlib.Path(__file__).resolve().parents[2]
TABLE, FIELD, RENAMED = "contracts/update/update.c", '{"release_id", "What is to be installed."', '{"firmware_id", "What is to be installed."'


def built_again(root):
    """The programs of a copy of this checkout in which the field has another name."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, root / name)
    build = networks.BIN.parent
    (root / "build").mkdir()
    for part in ("obj", "gen", "lib", "flags", "tools"):  # what is compiled already is not compiled again
        subprocess.run(["cp", "-a", build / part, root / "build"], check=True)
    table = root / TABLE
    text = table.read_text()
    assert text.count(FIELD) == 1, "the table has the field once"
    table.write_text(text.replace(FIELD, RENAMED))
    compiler = re.match(r"(.*?) -D_GNU_SOURCE", (build / "flags").read_text())[1]
    done = subprocess.run(["make", "-s", "-j2", f"CC={compiler}", "all"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "build" / "bin"


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    here, networks.BIN = networks.BIN, built_again(tmp_path_factory.mktemp("renamed"))
    network = networks.Net()
    try:
        yield network.start()
    finally:
        network.close()
        networks.BIN = here


def test_everything_follows_a_field_that_is_renamed(renamed):
    full, gateway = renamed.validators[0], renamed.gateways[0]
    device = Device(renamed)
    published, update = pushed(renamed, image_of(20_000, 3), "1.0.0")
    device.until(lambda state: state["sequence"] == published["sequence"], "the gateway has found the update and served it")
    for item in (full.get("/v1/updates")["updates"][0], full.get(f"/v1/updates/{update['update_id']}"),
                 assay_json("update", "show", update["update_id"], "--node", full.url)):
        assert item["firmware_id"] == published["release_id"] and "release_id" not in item
    assert f"firmware_id: {published['release_id']}" in assay("update", "show", update["update_id"], "--node", full.url)
    description = http_docs.ask(full.url)
    for name in ("Update", "UpdateAnswer"):
        schema = description["components"]["schemas"][name]
        assert "firmware_id" in schema["required"] and "release_id" not in schema["properties"]
    row = "| `%s` | hex of 32 bytes | What is to be installed. |"
    page = http_docs.PAGE.read_text()
    assert page.count(row % "release_id") == 2
    assert http_docs.render(description, http_docs.ask(gateway.url)) == page.replace(row % "release_id", row % "firmware_id")
