"""Writes docs/http.md, made of what a full node and a gateway of a network of its own say of themselves in /openapi.json."""
import json
import pathlib
import sys
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "http.md"

HEAD = """# What the HTTP API takes and answers

Made by `make docs-http` from what nodes say of themselves (`GET /openapi.json`); the tables it comes from stand with the
records in the code (`base/record.h`). What the routes are for, limits and errors: [operations.md](operations.md#the-http-api).

- Numbers are never beyond 2^53, so that every reader of JSON has them exactly. What somebody is free to choose beyond that is
  text of decimal digits, always.
- Hex is in small letters. A member that is not there is `null`, or, where *may be missing* stands, left out.
- Times are milliseconds since 1970.
- Whatever GET answers, HEAD answers without the body. Errors are [Error](#error).
"""


def link(name):
    return f"[{name}](#{name.lower()})"


def type_of(schema):
    """A schema in a few words."""
    if "$ref" in schema:
        return link(schema["$ref"].rsplit("/", 1)[1])
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return " or ".join("null" if part.get("type") == "null" else type_of(part) for part in schema[word])
    kinds = schema.get("type", "")
    if isinstance(kinds, list):
        return f"{type_of({**schema, 'type': kinds[0]})} or null"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    if kinds == "array":
        return f"list of {type_of(schema['items'])}"
    if kinds == "object":
        return "object: name to " + type_of(schema["additionalProperties"]) if "additionalProperties" in schema else "object"
    pattern = schema.get("pattern", "")
    if pattern.startswith("^[0-9a-f]{"):
        return f"hex of {int(pattern[10:-2]) // 2} bytes"
    if pattern == "^([0-9a-f]{2})*$":
        return "hex"
    if pattern.startswith("^baf("):
        return "CID"
    if "[1-9][0-9]" in pattern:
        return "decimal text"
    return {"integer": "number", "boolean": "true or false", "string": "text"}.get(kinds, kinds)


def answers_of(operation):
    content = operation["responses"]["200"].get("content", {})
    events = [f"events of {type_of(event)}" for event in operation.get("x-events", [])]
    return ", ".join([type_of(body["schema"]) if "schema" in body else media for media, body in content.items()] + events)


def argument(parameter):
    name = f"`{parameter['name']}`"
    schema = parameter["schema"]
    words = [parameter["description"]]
    if "default" in schema and schema["default"] < 2**53:
        words.append(f"{schema['default']} by default")
    if "maximum" in schema and 0 < schema["maximum"] < 2**32:
        words.append(f"at most {schema['maximum']}")
    if "enum" in schema:
        words.append("one of " + ", ".join(schema["enum"]))
    if parameter["required"] and parameter["in"] == "query":
        words.append("required")
    return f"{name}: {'; '.join(words)}"


def routes(description):
    yield "| route | arguments | answers |"
    yield "|---|---|---|"
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if method == "head":
                continue
            notes = [operation["summary"]] + (["members only"] if "security" in operation else [])
            body = operation.get("requestBody", {}).get("content", {})
            taken = [f"body: {type_of(what['schema']) if 'schema' in what else media}" for media, what in body.items()]
            yield (f"| **{method.upper()} {path}**<br>{'; '.join(notes)} | "
                   f"{'<br>'.join([argument(p) for p in operation['parameters']] + taken)} | {answers_of(operation)} |")


def members(schema):
    yield "| member | type | what |"
    yield "|---|---|---|"
    for name, member in schema["properties"].items():
        missing = "" if name in schema["required"] else "; may be missing"
        yield f"| `{name}` | {type_of(member)}{missing} | {member.get('description', '')} |"


def records(schemas):
    for name in sorted(schemas):
        schema = schemas[name]
        if "properties" not in schema and "oneOf" not in schema:
            continue
        yield f"\n### {name}\n\n{schema['description']}\n"
        for kind in schema.get("oneOf", [schema]):
            if "oneOf" in schema:
                yield f"\n{kind['description']}\n"
            yield from members(kind)


def render(full, gateway):
    schemas = {**full["components"]["schemas"], **gateway["components"]["schemas"]}
    lines = [HEAD, "\n## Routes of a validator or observer\n", *routes(full), "\n## Routes of a gateway\n", *routes(gateway),
             "\n## Records", *records(schemas)]
    return "\n".join(lines) + "\n"


def ask(url):
    with urllib.request.urlopen(url + "/openapi.json", timeout=60) as answer:
        return json.load(answer)


def main():
    sys.path.insert(0, str(TOP / "tests" / "e2e"))
    import net as networks
    network = networks.Net(gateways=1)
    try:
        network.start()
        page = render(ask(network.validators[0].url), ask(network.gateways[0].url))
    finally:
        network.close()
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
