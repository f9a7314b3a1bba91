from __future__ import annotations

import logging
from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.experiments import errors as experiment_errors
from nni_manager.rpc.errors import ERROR_TABLE, CallFailure, describe
from nni_proto.v1.error_reason_pb2 import ErrorReason


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind for direct in kind.__subclasses__() for kind in {direct, *_subclasses(direct)}}


def test_every_error_of_the_application_service_is_in_the_table() -> None:
    assert _subclasses(experiment_errors.ExperimentServiceError) <= set(ERROR_TABLE)


def test_every_reason_of_the_protocol_is_used_and_stands_for_one_error() -> None:
    reasons = [reason for _, reason in ERROR_TABLE.values()]
    unused = {ErrorReason.ERROR_REASON_UNSPECIFIED, ErrorReason.ERROR_REASON_INTERNAL}
    assert sorted(reasons) == sorted(set(ErrorReason.values()) - unused)


@pytest.mark.parametrize("kind", ERROR_TABLE)
def test_an_error_keeps_its_text_and_carries_one_detail(kind: type[Exception]) -> None:
    status = describe(kind("what is wrong"), "/a.B/C").status()
    info = error_details_pb2.ErrorInfo()
    assert len(status.details) == 1 and status.details[0].Unpack(info)
    code, reason = ERROR_TABLE[kind]
    assert (status.code, status.message) == (code.value[0], "what is wrong")
    assert (info.domain, f"ERROR_REASON_{info.reason}") == ("nni", ErrorReason.Name(reason))


def test_a_fault_is_told_in_neutral_words_and_logged_with_its_cause(caplog) -> None:
    with caplog.at_level(logging.ERROR):
        failure = describe(KeyError("password=hunter2"), "/a.B/C")
    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in failure.message
    assert "KeyError" in caplog.text and "/a.B/C" in caplog.text


@given(st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: text * 50))
def test_what_travels_in_metadata_stays_small(text: str) -> None:
    status = CallFailure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_CONFIG", text).status()
    assert len(quote(status.message, safe="")) + len(status.SerializeToString()) * 4 / 3 < 16_000
    assert status.message == text or "more characters" in status.message
