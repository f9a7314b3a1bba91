"""Checks recorded requests to OpenPAI, and their answers, against OpenPAI's own descriptions.

    .venv/bin/python tools/check_openpai_requests.py RECORD --documents FOLDER

RECORD has one exchange a line, as JSON: method, path, query, content_type, body, status, answer. FOLDER has
two documents of the OpenPAI project, `rest-server-v2.swagger.yaml` and `job-protocol-v2.schema.yaml`.
It prints what does not conform, and exits with 1 if there is anything.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

SERVER = "rest-server-v2.swagger.yaml"
PROTOCOL = "job-protocol-v2.schema.yaml"

_METHODS = ("get", "put", "post", "delete", "patch")


class Description:
    """What OpenPAI's documents say of its REST interface."""

    def __init__(self, folder: Path) -> None:
        """Reads the documents.

        Raises:
            OSError: They are not there.
        """
        self._server = yaml.safe_load((folder / SERVER).read_text("utf-8"))
        self._protocol = yaml.safe_load((folder / PROTOCOL).read_text("utf-8"))

    def problems(self, exchange: Mapping[str, Any]) -> Iterator[str]:
        """Yields what in a request, or in its answer, is not as described."""
        found = self._operation(exchange["method"], exchange["path"])
        if found is None:
            yield "it is not described"
            return
        operation, parameters = found
        yield from self._about_query(exchange["query"], parameters)
        yield from self._about_body(exchange, operation)
        yield from self._about_answer(exchange, operation)

    def _operation(self, method: str, path: str) -> tuple[Mapping[str, Any], list[Any]] | None:
        for template, item in self._server["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/~]+", re.escape(template))
            if method.lower() in item and method.lower() in _METHODS and re.fullmatch(pattern, path):
                operation = item[method.lower()]
                both = [*item.get("parameters", []), *operation.get("parameters", [])]
                return operation, [self._resolved(each) for each in both]
        return None

    def _about_query(self, query: Mapping[str, str], parameters: list[Any]) -> Iterator[str]:
        kinds = {each["name"]: each["schema"].get("type") for each in parameters if each["in"] == "query"}
        for name, value in query.items():
            if name not in kinds:
                yield f"the query has {name}, which is not described"
            elif kinds[name] in ("number", "integer") and not re.fullmatch(r"\d+", value):
                yield f"{name}={value} is no number"
            elif kinds[name] == "boolean" and value not in ("true", "false"):
                yield f"{name}={value} is neither true nor false"

    def _about_body(self, exchange: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
        described = operation.get("requestBody")
        if described is None:
            if exchange["body"]:
                yield "it has a body, and none is described"
            return
        content = described["content"].get(exchange["content_type"])
        if content is None:
            yield f"{exchange['content_type']} is not described; allowed: {', '.join(described['content'])}"
            return
        yield from self._about_value(yaml.safe_load(exchange["body"]), content["schema"], "the body")

    def _about_answer(self, exchange: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
        described = operation["responses"].get(str(exchange["status"]))
        if described is None:
            if exchange["status"] < 300:
                yield f"the answer {exchange['status']} is not described"
            return
        content = self._resolved(described).get("content", {}).get("application/json")
        if content is not None and "schema" in content:
            yield from self._about_value(json.loads(exchange["answer"]), content["schema"], "the answer")

    def _about_value(self, value: Any, schema: Any, what: str) -> Iterator[str]:
        for error in Draft4Validator(self._plain(schema)).iter_errors(value):
            place = "/".join(map(str, error.absolute_path))
            yield f"{what}: {place}: {error.message[:300]}"

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            document, _, pointer = node["$ref"].partition("#/")
            node = self._protocol if document else self._server
            for step in pointer.split("/"):
                node = node[step.replace("~1", "/").replace("~0", "~")]
        return node

    def _plain(self, schema: Any) -> Any:
        """Returns a schema of OpenAPI 3.0 as one of JSON Schema."""
        schema = self._resolved(schema)
        if isinstance(schema, list):
            return [self._plain(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        # The documents' references within the protocol lead to the protocol.
        server, self._server = (
            self._server,
            self._protocol if schema is self._job_protocol() else self._server,
        )
        try:
            plain = {
                key: self._plain(value) for key, value in schema.items() if key not in ("example", "nullable")
            }
        finally:
            self._server = server
        return {"anyOf": [{"type": "null"}, plain]} if schema.get("nullable") is True else plain

    def _job_protocol(self) -> Any:
        return self._protocol["components"]["schemas"]["JobProtocol"]


def main(arguments: list[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(description="Checks requests against OpenPAI's descriptions.")
    parser.add_argument("record", type=Path)
    parser.add_argument("--documents", type=Path, required=True)
    options = parser.parse_args(arguments)
    description = Description(options.documents)
    count = 0
    lines = options.record.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        exchange = json.loads(line)
        for problem in description.problems(exchange):
            count += 1
            print(f"{options.record}:{number}: {exchange['method']} {exchange['path']}: {problem}")
    print(f"{len(lines)} requests, {count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
