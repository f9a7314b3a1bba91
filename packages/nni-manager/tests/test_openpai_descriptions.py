"""What is asked of OpenPAI, and what its stand-in answers, is as OpenPAI describes it.

The descriptions are OpenPAI's own and no part of this repository: what needs them is there where they lie
beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from check_openpai_requests import PROTOCOL, SERVER, Description, main
from nni_config import ExperimentConfig, OpenpaiConfig
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import JobOrder, JobRefusedError
from nni_manager.training.openpai.making import make_openpai_platform
from openpai_stand_in import OpenPaiStandIn

DOCUMENTS = Path(__file__).parents[4] / "shared" / "openpai"

SMALL_SERVER = """
paths:
  "/api/v2/things/{user}~{thing}":
    get:
      parameters: [{$ref: "#/components/parameters/limit"}]
      responses:
        "200": {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
  /api/v2/jobs:
    post:
      requestBody:
        content: {text/yaml: {schema: {$ref: "./openpai-protocol.yaml#/components/schemas/JobProtocol"}}}
      responses: {"202": {}}
components:
  parameters: {limit: {name: limit, in: query, schema: {type: number}}}
  schemas:
    Thing: {type: object, required: [a], properties: {a: {type: integer, nullable: true}}}
"""
SMALL_PROTOCOL = """
components:
  schemas:
    Base: {type: object, properties: {name: {type: string, pattern: "^[a-z]+$"}}}
    JobProtocol: {allOf: [{$ref: "#/components/schemas/Base"}, {required: [name]}]}
"""


def exchange(method: str, path: str, **fields: Any) -> dict[str, Any]:
    usual = {"query": {}, "content_type": "", "body": "", "status": 200, "answer": '{"a": null}'}
    return {"method": method, "path": path, **usual, **fields}


def test_what_is_not_as_described_is_found(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / SERVER).write_text(SMALL_SERVER)
    (tmp_path / PROTOCOL).write_text(SMALL_PROTOCOL)
    description = Description(tmp_path)
    good = exchange("GET", "/api/v2/things/ada~x", query={"limit": "3"})
    job = exchange("POST", "/api/v2/jobs", content_type="text/yaml", body="name: a", status=202)
    cases = [
        (good, ""),
        (job, ""),
        (exchange("PUT", "/api/v2/things/ada~x"), "not described"),
        ({**good, "path": "/api/v2/things/ada"}, "not described"),
        ({**good, "query": {"most": "3"}}, "the query has most"),
        ({**good, "query": {"limit": "all"}}, "is no number"),
        ({**good, "body": "x"}, "none is described"),
        ({**good, "answer": '{"a": "b"}'}, "the answer: a: "),
        ({**good, "answer": "{}"}, "'a' is a required property"),
        ({**good, "status": 204}, "the answer 204"),
        ({**job, "content_type": "application/json"}, "allowed: text/yaml"),
        ({**job, "body": "name: A"}, "does not match"),
        ({**job, "body": "{}"}, "required property"),
    ]
    for case, expected in cases:
        found = list(description.problems(case))
        assert len(found) == bool(expected), (case, found)
        assert not found or expected in found[0]
    record = tmp_path / "record"
    record.write_text("\n".join(json.dumps(case) for case, _ in cases))
    assert main([str(record), "--documents", str(tmp_path)]) == 1
    assert "13 requests, 11 problems" in capsys.readouterr().out


if DOCUMENTS.is_dir():

    async def test_all_requests_and_answers_are_as_openpai_describes_them(tmp_path: Path) -> None:
        mount = tmp_path / "mount"
        mount.mkdir()
        with OpenPaiStandIn(tmp_path / "pai", {"data": mount}) as stand_in:
            config = OpenpaiConfig(
                **{"host": stand_in.address, "username": "ada", "token": "sesame", "trial_command": "true"},
                **{"trial_code_directory": tmp_path, "trial_cpu_number": 1, "trial_gpu_number": 0},
                **{"trial_memory_size": "1gb", "storage_config_name": "data", "virtual_cluster": "default"},
                **{"local_storage_mount_point": mount, "container_storage_mount_point": str(mount)},
            ).canonical_copy()
            platform = make_openpai_platform(ExperimentConfig("openpai"), config, "exp", tmp_path)
            await platform.open()
            stand_in.has_room = False
            order = JobOrder("nni_exp_aaaaa_0", "sleep 60", {"A": "1"}, {"NNI_KEY": "x"})
            await platform.submit(order)
            await platform.list()
            stand_in.place()
            await platform.submit(order)
            await platform.list()
            await platform.log(order.name, 10)
            await platform.stop(order.name)
            assert stand_in.jobs[order.name].ended.wait(20)
            await platform.list()
            await platform.log("nni_exp_never_0", 10)
            await platform.stop("nni_exp_never_0")
            stand_in.accounts["ada"].storages = []
            try:
                await platform.submit(JobOrder("nni_exp_b_0", "true"))
            except JobRefusedError as error:
                assert "Storage data is not found" in str(error)
            try:
                await platform.open()
            except TrainingServiceError as error:
                assert "there are none" in str(error)
            await platform.close()
            exchanges = [vars(each) for each in stand_in.exchanges]
        description = Description(DOCUMENTS)
        assert len(exchanges) > 15
        found = [(it["method"], it["path"], each) for it in exchanges for each in description.problems(it)]
        assert found == []
