"""What tidy refuses, each on a small checkout of its own."""
import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ARCHITECTURE = """# A house

## The house

```
low/         the ground floor
high/        what stands on it
  left/        a wing
tests/       what holds it
  unit/        mirrors the folders
  lib/         what tests share
  check/       the checks
  fuzz/        fuzzers
docs/        pages
  decisions/   why
```

## Who may include whom

| folder | may include |
|---|---|
| `low/` | nothing of ours |
| `high/` | `low/` |
| `high/left/` | `low/`, `high/` |
"""
HEADER = """/* A sum; it may go to a temporary file; and this is prose: call it (once, as f(x) does), that is all;
 * { 1: 2 } is a map. */
#ifndef LOW_SUM_H
#define LOW_SUM_H

#define SUM_MAX 7
struct sum {
    int of;
};
enum sum_kind { SUM_PLAIN };
typedef int sum_op(int a);
extern const int sum_table[2];
int sum_add(int a, int b);
static inline int sum_twice(int a) {
    return 2 * a;
}

#endif
"""
SOURCE = """#define _FEATURES
#include "low/sum.h"

const int sum_table[2] = {SUM_MAX, 1};

int sum_add(int a, int b) {
    char temporary = '{';
    return a + b + sum_table[0] + temporary;
}
"""
USER = """#include "low/sum.h"

/* Uses it all. */
int main(void) {
    struct sum one = {SUM_PLAIN};
    return sum_add(one.of, sum_twice(sum_table[1]));
}
"""
CLEAN = {
    "ARCHITECTURE.md": ARCHITECTURE, "README.md": "A house.\n", "Makefile": "all:\n", "low/sum.h": HEADER, "low/sum.c": SOURCE,
    "high/user.c": USER, "docs/page.md": "Stubborn hackers wait, for nowhere is a XXXL todolist.\n", "docs/decisions/001-why.md": "",
    "tests/unit/low/test_sum.c": '#include "low/sum.h"\n#include "tests/lib/help.h"\nint main(void) {\n    return help();\n}\n',
    "tests/lib/help.h": "int help(void);\n", "tests/lib/help.c": '#include "tests/lib/help.h"\nint help(void) {\n    return 0;\n}\n',
    "tests/fuzz/fuzz_sum.c": "", "tests/fuzz/corpus/fuzz_sum/empty": "", "tests/check/run-all": "#!/bin/sh\n",
}


@pytest.fixture
def tidy(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("tidy", str(HERE / "tidy"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def house(tmp_path, tidy):
    def build(files=None, exceptions=""):
        for name, text in {**CLEAN, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if exceptions:
            (tmp_path / tidy.EXCEPTIONS).write_text(exceptions)
        return [f"{find.path}:{find.line}: {find.text}" for find in tidy.check(tmp_path)[2]]
    return build


def body(lines):
    return "int main(void) {\n" + "    ;\n" * (lines - 2) + "}\n"


def test_a_clean_house_has_no_finds(house):
    assert house() == []


def test_a_function_has_seventy_lines_and_not_one_more(house):
    assert house({"high/left/main.c": body(70)}) == []
    assert house({"high/left/main.c": "\n" + body(71)}) == [
        "high/left/main.c:2: main has 71 lines, 70 are allowed: split it by what it does"]
    assert "main has 71 lines" in house({"high/left/main.c": body(10), "tests/unit/low/test_long.c": body(71)})[0]


def test_where_braces_are_torn_apart_nothing_can_be_measured(house):
    torn = "#if A\nint f(void) {\n#else\nint g(void) {\n#endif\n    return 0;\n}\n"
    assert any("braces open in one branch" in find for find in house({"high/left/main.c": torn}))


def declares(words):
    return HEADER.replace("int sum_add(", words + "\nint sum_add(")


def chooses(choice):
    return f"static int choose(int a, int b) {{\n    return {choice};\n}}\n"


def test_choices_stand_beside_each_other(house):
    beside = ("sum_add(a ? 1 : 2, b ? 3 : 4) + sum_table[a ? 0 : 1];\n    if (a ? b : 0) {\n        a = b ? 5 : 6;\n    }\n"
              "    const char *text = a ? \"b ? c : d\" : \"?\"; /* a ? b : c ? d : e */\n    return b ? '?' : text[0]")
    one_more = "#define SUM_LESS(x, y) ((x) < (y) ? (x) : (y))\n#define SUM_MORE(x, y) ((x) < (y) ? (y) : (x))\n"
    used = "static const int sums[] = {SUM_LESS(1, 2), SUM_MORE(1, 2), SUM_MAX > 3 ? 1 : 0, SUM_MAX > 4 ? 1 : 0};\n"
    assert house({"low/sum.c": SOURCE + one_more + used + chooses(beside)}) == []


@pytest.mark.parametrize("files, find", [
    # Functions and objects.
    ({"low/sum.h": declares("int sum_none(void);"), "low/sum.c": SOURCE + "int sum_none(void) {\n    return 0;\n}\n"},
     "low/sum.h:13: nobody uses sum_none"),
    ({"low/sum.h": declares("extern const int sum_none[];"), "low/sum.c": SOURCE + "const int sum_none[] = {0};\n"},
     "low/sum.h:13: nobody uses sum_none"),
    ({"low/sum.h": declares("int sum_own(void);"),
      "low/sum.c": SOURCE + "int sum_own(void) {\n    return 0;\n}\nint (*const own)(void) = sum_own;\n"},
     "only low/sum.c uses sum_own: make it static there"),
    ({"low/sum.h": declares("int sum_tested(void);"), "low/sum.c": SOURCE + "int sum_tested(void) {\n    return 0;\n}\n",
      "tests/unit/low/test_more.c": '#include "low/sum.h"\nint main(void) {\n    return sum_tested();\n}\n'},
     "only tests use sum_tested"),
    ({"low/sum.h": HEADER.replace("static inline int sum_twice", "static inline int sum_thrice(int a) {\n    return 3 * a;\n}\n"
                                  "static inline int sum_twice")}, "nobody uses sum_thrice"),
    ({"low/sum.h": declares("int sum_none(void);"), "high/user.c": USER + "/* sum_none() */\nstruct a {\n    int b;\n} a;\n"
      "const char *text = \"sum_none()\";\nint c(void) {\n    return a.sum_none + (&a)->sum_none;\n}\n"}, "nobody uses sum_none"),
    ({"tests/lib/help.h": "int help(void);\nint inner(void);\n", "tests/lib/help.c": CLEAN["tests/lib/help.c"].replace(
        "return 0", "return inner()") + "int inner(void) {\n    return 0;\n}\n"}, "only tests/lib/help.c uses inner"),
    # Macros, types, headers.
    ({"low/sum.c": SOURCE + "#define NONE 1\n"}, "low/sum.c:10: nobody uses NONE"),
    ({"low/sum.c": SOURCE + "#define NONE(x) \\\n    (x)\n#undef NONE\n"}, "low/sum.c:10: nobody uses NONE"),
    ({"low/sum.h": declares("#define TESTED 1"), "tests/unit/low/test_more.c": '#include "low/sum.h"\nint a = TESTED;\n'},
     "only tests use TESTED"),
    ({"low/sum.h": declares("struct none {\n    int a;\n};")}, "low/sum.h:13: nobody uses none"),
    ({"low/sum.h": declares("enum none { NONE_A, NONE_B };\nstruct none_too;")}, "low/sum.h:13: nobody uses none"),
    ({"low/sum.h": declares("struct tested {\n    int a;\n};"),
      "tests/unit/low/test_more.c": '#include "low/sum.h"\nstruct tested t;\n'}, "only tests use tested"),
    ({"low/alone.h": "", "low/alone.c": '#include "low/alone.h"\n'}, "nobody uses low/alone.h"),
    ({"low/alone.h": "", "tests/unit/low/test_more.c": '#include "low/alone.h"\n'}, "only tests use low/alone.h"),
    # Dead code.
    ({"low/sum.c": SOURCE + "#if 0\n#endif\n"}, "low/sum.c:10: what is switched off is dead code"),
    ({"low/sum.c": SOURCE + "// int a = 7;\n"}, "low/sum.c:10: code in a comment"),
    ({"low/sum.c": SOURCE + "/* before\n * return sum_add(1, 2);\n */\n"}, "low/sum.c:11: code in a comment"),
    ({"low/sum.c": SOURCE + "/*\nif (a > 2) {\n*/\n"}, "low/sum.c:11: code in a comment"),
    ({"low/sum.c": SOURCE + "/* s->a[1].b = c; */\n"}, "code in a comment"),
    ({"low/sum.c": SOURCE + "/* (void)sum_add(1, 2); */\n"}, "code in a comment"),
    ({"low/sum.c": SOURCE + "/* #include <uv.h> */\n"}, "code in a comment"),
    # Choices.
    ({"low/sum.c": SOURCE + chooses("a ? 1 : b ? 2 : 3")}, "low/sum.c:11: a conditional expression inside another"),
    ({"low/sum.c": SOURCE + chooses("a ? 1\n           : b ? 2\n               : 3")}, "low/sum.c:12: a conditional expression inside"),
    ({"low/sum.c": SOURCE + chooses("a ? b ? 1 : 2 : 3")}, "a conditional expression inside another"),
    ({"low/sum.c": SOURCE + chooses("a ? 1 : (b ? 2 : 3)")}, "a conditional expression inside another"),
    ({"low/sum.c": SOURCE + chooses("a ? sum_add(1, b ? 2 : 3) : 4")}, "a conditional expression inside another"),
    ({"low/sum.c": SOURCE + chooses("(a ? b : 0) > 0 ? 1 : 2")}, "a conditional expression inside another"),
    ({"low/sum.c": SOURCE + chooses("SUM_SIGN(a)") + "#define SUM_SIGN(x) ((x) > 0 ? 1 : (x) < 0 ? -1 : 0)\n"},
     "low/sum.c:13: a conditional expression inside another"),
    ({"tests/unit/low/test_sum.c": CLEAN["tests/unit/low/test_sum.c"] + chooses("a ? 1 : b ? 2 : 3")},
     "tests/unit/low/test_sum.c:7: a conditional expression inside another"),
    # Places.
    ({"low/notes.txt": ""}, "low/notes.txt:1: low/ holds no such files"),
    ({"low/deep/a.c": ""}, "low/deep/a.c:1: its folder stands neither in"),
    ({"stray.md": ""}, "stray.md:1: its folder stands neither in"),
    ({"tests/unit/middle/test_a.c": ""}, "tests/unit/middle/test_a.c:1: its folder stands neither in"),
    ({"tests/check/data": "7"}, "tests/check/ holds no such files"),
    ({"tests/fuzz/corpus/fuzz_gone/a": ""}, "there is no fuzzer of this name"),
    # Words.
    ({"low/sum.c": SOURCE + "/* TODO: more */\n"}, 'low/sum.c:10: "TODO"'),
    ({"low/sum.c": SOURCE + "int fixme;\n"}, 'low/sum.c:10: "fixme"'),
    ({"low/sum.c": SOURCE + "/* A temporary answer. */\n"}, 'low/sum.c:10: "temporary"'),
    ({"low/sum.c": SOURCE + 'const char *a = "not implemented";\n'}, 'low/sum.c:10: "not implemented"'),
    ({"docs/page.md": "It is\na hack.\n"}, 'docs/page.md:2: "hack"'),
    ({"docs/page.md": "One signer, for now.\n"}, 'docs/page.md:1: "for now"'),
    ({"tests/check/run-all": "#!/bin/sh\n# XXX\n"}, 'tests/check/run-all:2: "XXX"'),
    ({"Makefile": "# a stub\n"}, 'Makefile:1: "stub"'),
])
def test_what_is_untidy_is_named(house, files, find):
    found = house(files)
    assert any(find in line for line in found), found


def test_an_exception_holds_as_long_as_it_is_needed(house):
    untidy = {"low/sum.h": declares("int sum_none(void);"), "docs/page.md": "TODO\n"}
    exceptions = "# rule what why\nfunction sum_none it is told why\nword docs/page.md too\n"
    assert house(untidy, exceptions) == []
    assert house(CLEAN, exceptions) == [
        "tests/check/tidy-exceptions.txt:2: nothing needs the exception of sum_none any more: take it out",
        "tests/check/tidy-exceptions.txt:3: nothing needs the exception of docs/page.md any more: take it out"]


def test_an_exception_says_why(house):
    assert house({"docs/page.md": "TODO\n"}, "word docs/page.md\n") == [
        "tests/check/tidy-exceptions.txt:1: an exception is a rule, what, and why"]
