"""What includes.py refuses, each on a small checkout of its own."""
import importlib.util
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
TABLES = """# A house

## Who may include whom

| folder | may include |
|---|---|
| `low/` | nothing of ours |
| `high/` | `low/` |
| `high/left/` | `low/`, `high/right/` |
| `high/right/` | `low/`, `high/left/` |

| library | may be named in |
|---|---|
| `<uv.h>` | `high/` |
| `<nng>` | `high/left/` |

| kept pure | may include of the C library |
|---|---|
| `low` | `stdint.h`, `string.h` |

## Another heading

| `elsewhere/` | `low/` |
"""


@pytest.fixture
def includes():
    spec = importlib.util.spec_from_file_location("includes", HERE / "includes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def house(tmp_path, includes):
    def build(**files):
        every = {"low/a.h": "", "high/b.c": "", "high/left/c.c": "", "high/right/d.c": "", **files}
        (tmp_path / "ARCHITECTURE.md").write_text(TABLES)
        for name, text in every.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return includes.check(tmp_path)[2]
    return build


def test_what_the_tables_allow_is_no_breach(house):
    assert house(**{"high/b.c": '#include "low/a.h"\n#include <uv.h>\n#include <stdio.h>\n',
                    "high/left/c.c": '#include "low/a.h"\n#include <nng/nng.h>\n#include <uv.h>\n',
                    "low/b.c": '#include "low/a.h"\n#include <stdint.h>\n'}) == []


@pytest.mark.parametrize("name, text, breach", [
    ("low/b.c", '#include "high/b.h"\n', "low/ may not include high/"),
    ("high/b.c", '#include "high/left/c.h"\n', "high/ may not include high/left/"),
    ("high/left/c.c", '#include "high/b.h"\n', "high/left/ may not include high/"),
    ("high/b.c", '#include "b.h"\n', "is not a path from the top"),
    ("high/b.c", "#include <nng/nng.h>\n", "<nng/nng.h> belongs to high/left/"),
    ("low/b.c", "#  include  <uv.h>\n", "<uv.h> belongs to high/"),
    ("low/b.c", "#include <stdio.h>\n", "low is kept free of <stdio.h>"),
    ("high/other/e.c", "", "high/other/e.c: its folder stands in no row"),
    ("high/right/d.c", '#include "high/left/chain_internal.h"\n', "shared by the files of its module alone"),
    ("high/left/c.c", '#include "high/left/chain_internal.h"\n', "shared by the files of its module alone"),
])
def test_what_crosses_a_table_is_named(house, name, text, breach):
    found = house(**{name: text})
    assert any(breach in line for line in found), found


def test_files_of_a_module_share_what_is_internal(house):
    assert house(**{"high/left/chain_final.c": '#include "high/left/chain_internal.h"\n',
                    "high/left/x.c": '#include "high/left/left_internal.h"\n'}) == []


def test_a_circle_of_folders_is_told_even_where_each_step_is_allowed(house):
    found = house(**{"high/left/c.c": '#include "high/right/d.h"\n', "high/right/d.c": '#include "high/left/c.h"\n'})
    assert found == ["a circle of folders: high/left, high/right"]


def test_a_row_without_files_is_told(house, includes, tmp_path):
    house()
    (tmp_path / "high/left/c.c").unlink()
    assert includes.check(tmp_path)[2] == ["ARCHITECTURE.md has a row for high/left/, which holds nothing"]
