from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Mapping

import pytest
from nni_manager.rpc.access import Role
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, running_port
from nni_manager.web import page

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PATHS = [
    "/",
    "/sign-in?code=x",
    "/icon.svg",
    "/nni_proto.v1.ExperimentService/GetExperiment",
    "/nni_proto.v1.ExperimentService/WatchExperiment",
    "/nni_proto.v1.ExperimentService/ReadFile",
    "/nni_proto.v1.ExperimentService/DeleteExperiment",
    "/none",
]
"""Row 210: pages, files, calls and streams, all with every verb."""

CALL = "/nni_proto.v1.ExperimentService/GetExperiment"
BODY = b'{"name": "experiments/tested"}'


async def request(
    port: RunningPort,
    verb: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, dict[str, str], str]:
    """Makes a request and returns status, headers and body of the answer."""

    def make() -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", port.port, timeout=30)
        try:
            connection.request(verb, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return response.status, found, response.read().decode(errors="replace")
        finally:
            connection.close()

    return await asyncio.to_thread(make)


def _own(port: RunningPort) -> dict[str, str]:
    return {"Authorization": f"Bearer {port.tokens.manager()}", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@localhost",
        "localhost/",
        "localhost:port",
        "",
        "[::1",
    ],
)
async def test_a_foreign_host_is_refused_for_every_verb(host: str) -> None:
    async with running_port() as port:
        headers = {**_own(port), "Host": host.format(port=port.port)}
        for verb in VERBS:
            for path in PATHS:
                status, _, text = await request(port, verb, path, headers)
                assert status in (403, 400), (verb, path)
                assert EXPERIMENT_ID not in text


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9", "LOCALHOST:9", "127.0.0.1:1", "[::1]:8080", "10.1.2.3", "my.proxy:443"],
)
async def test_own_hosts_addresses_and_allowed_hosts_are_answered(host: str) -> None:
    async with running_port(allowed_hosts=["My.Proxy"]) as port:
        status, _, _ = await request(port, "GET", "/", {"Host": host})
        assert status == 401


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:1",
        "https://localhost.evil.example",
        "null",
        "file://",
        "http://127.0.0.1",
        "moz-extension://x",
    ],
)
async def test_a_foreign_origin_is_refused_for_every_verb(origin: str) -> None:
    async with running_port() as port:
        for verb in VERBS:
            for path in PATHS:
                status, _, _ = await request(port, verb, path, {**_own(port), "Origin": origin})
                assert status == 403, (verb, path)


async def test_the_own_origin_may_call() -> None:
    async with running_port(allowed_hosts=["proxy.example"]) as port:
        for origin in (f"http://127.0.0.1:{port.port}", "https://proxy.example"):
            status, _, text = await request(port, "POST", CALL, {**_own(port), "Origin": origin}, BODY)
            assert status == 404 and "EXPERIMENT_NOT_FOUND" in text


async def test_pages_of_other_sites_cannot_load_anything() -> None:
    async with running_port() as port:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        assert (await request(port, "GET", "/icon.svg", headers))[0] == 403
        headers["Sec-Fetch-Mode"] = "navigate"
        assert (await request(port, "GET", "/", headers))[0] == 401


async def test_every_answer_has_the_protecting_headers() -> None:
    async with running_port() as port:
        for path in [*PATHS, "/api/v1/nni/experiment"]:
            for host in ("localhost", "evil.example"):
                _, headers, _ = await request(port, "GET", path, {"Host": host})
                policy = headers["content-security-policy"]
                assert "default-src 'none'" in policy and "unsafe" not in policy
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"
                assert headers["cache-control"] == "no-store"
                assert "access-control-allow-origin" not in headers
                assert "server" not in headers


async def test_a_cookie_alone_makes_no_call() -> None:
    async with running_port() as port:
        cookie = {
            "Cookie": f"nni-{EXPERIMENT_ID}={port.tokens.manager()}",
            "Content-Type": "application/json",
        }
        assert (await request(port, "POST", CALL, cookie, BODY))[0] == 401
        cookie["Origin"] = f"http://127.0.0.1:{port.port}"
        assert (await request(port, "POST", CALL, cookie, BODY))[0] == 404
        cookie["Cookie"] = f"nni-another={port.tokens.manager()}"
        assert (await request(port, "POST", CALL, cookie, BODY))[0] == 401


async def test_signing_in() -> None:
    async with running_port() as port:
        code = port.codes.create(Role.VIEW).code
        status, headers, text = await request(port, "GET", f"/sign-in?code={code}")
        assert status == 200 and 'content="0;url=./"' in text
        cookie = headers["set-cookie"]
        value, *flags = [part.strip() for part in cookie.split(";")]
        assert value == f"nni-{EXPERIMENT_ID}={port.tokens.view()}"
        assert {flag.lower() for flag in flags} == {"httponly", "path=/", "samesite=strict"}
        status, _, text = await request(port, "GET", "/", {"Cookie": value})
        assert status == 200 and f'content="experiments/{EXPERIMENT_ID}"' in text
        assert (await request(port, "GET", f"/sign-in?code={code}"))[0] == 403


async def test_a_used_old_or_invented_code_signs_nobody_in(monkeypatch) -> None:
    async with running_port() as port:
        now = 1000.0
        monkeypatch.setattr(port.codes, "_clock", lambda: now)
        old = port.codes.create(Role.MANAGER).code
        now += 600
        for path in (f"/sign-in?code={old}", "/sign-in?code=invented", "/sign-in"):
            status, headers, text = await request(port, "GET", path)
            assert status == 403 and "set-cookie" not in headers
            assert "nnictl webui url ID" in text


async def test_asking_for_the_head_redeems_nothing() -> None:
    async with running_port() as port:
        code = port.codes.create(Role.MANAGER).code
        assert (await request(port, "HEAD", f"/sign-in?code={code}"))[0] == 405
        assert (await request(port, "GET", f"/sign-in?code={code}"))[0] == 200


async def test_whoever_is_not_signed_in_learns_nothing() -> None:
    async with running_port() as port:
        tokens = ("", "x", port.tokens.trial("t"), port.tokens.job("j"))
        for cookie in (f"nni-{EXPERIMENT_ID}={token}" if token else "" for token in tokens):
            status, _, text = await request(port, "GET", "/", {"Cookie": cookie})
            assert status == 401 and "nnictl webui url ID" in text
            assert EXPERIMENT_ID not in text
        for path in (*PATHS[1:], "/api/v1/nni/experiment", "/docs", "/openapi.json"):
            for verb in ("GET", "POST"):
                _, headers, text = await request(port, verb, path)
                assert EXPERIMENT_ID not in text and "set-cookie" not in headers


async def test_the_calls_of_nni_are_gone() -> None:
    async with running_port() as port:
        for verb in ("GET", "POST", "PUT", "DELETE"):
            status, _, text = await request(port, verb, "/api/v1/nni/trial-jobs/abc", {})
            assert status == 410 and "ListTrials" in text
        status, _, text = await request(port, "GET", "/api/v1/nni/%3Cscript%3E")
        assert status == 410 and "script" not in text


async def test_unknown_paths() -> None:
    async with running_port() as port:
        for path in (
            "/nothing",
            "/a/b/c",
            "/assets/../index.html",
            "/assets/index.html",
            "/index.html",
            "/assets/%2e%2e%2ficon.svg",
            "/assets/%2e%2e%2f%2e%2e%2fapp.py",
        ):
            assert (await request(port, "GET", path))[0] in (404, 405)
        assert (await request(port, "GET", CALL))[0] == 405


async def test_a_prefix_works_whether_the_proxy_takes_it_off_or_not() -> None:
    async with running_port(url_prefix="a/b") as port:
        cookie = {"Cookie": f"nni-{EXPERIMENT_ID}={port.tokens.view()}"}
        for path in ("/a/b/", "/"):
            assert (await request(port, "GET", path, cookie))[0] == 200
        for path in ("/a/b/icon.svg", "/icon.svg"):
            assert (await request(port, "GET", path))[0] == 200
        assert (await request(port, "POST", f"/a/b{CALL}", _own(port), BODY))[0] == 404
        status, headers, _ = await request(port, "GET", "/a/b", cookie)
        assert status == 308 and headers["location"].endswith("/a/b/")


async def test_the_page_needs_nothing_from_elsewhere() -> None:
    async with running_port() as port:
        cookie = {"Cookie": f"nni-{EXPERIMENT_ID}={port.tokens.view()}"}
        _, _, html = await request(port, "GET", "/", cookie)
        loaded = re.findall(r'(?:src|href)="([^"]*)"', html)
        assert loaded and all(address.startswith("./") for address in loaded)
        assert "<script>" not in html and "style=" not in html and "onload" not in html
        for address in loaded:
            status, headers, _ = await request(port, "GET", address[1:])
            assert status == 200
            hashed = address.startswith("./assets/")
            assert headers["cache-control"] == (
                "public, max-age=31536000, immutable" if hashed else "no-store"
            )


async def test_the_page_says_what_its_reader_may_do() -> None:
    async with running_port() as port:
        for token, role in ((port.tokens.view(), "view"), (port.tokens.manager(), "manager")):
            _, _, html = await request(port, "GET", "/", {"Cookie": f"nni-{EXPERIMENT_ID}={token}"})
            assert f'<meta name="role" content="{role}"' in html


async def test_assets_are_sent_compressed_to_who_takes_that() -> None:
    async with running_port() as port:
        plain = await request(port, "GET", "/icon.svg", {"Accept-Encoding": "br, gzip;q=0"})
        assert "content-encoding" not in plain[1] and plain[2].startswith("<svg")
        for accepted in ("gzip", "br, GZIP;q=0.5"):
            _, headers, _ = await request(port, "GET", "/icon.svg", {"Accept-Encoding": accepted})
            assert headers["content-encoding"] == "gzip" and headers["vary"] == "Accept-Encoding"
            assert int(headers["content-length"]) < len(plain[2])


async def test_a_tree_without_the_built_page_says_what_builds_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(page, "_STATIC", tmp_path)
    async with running_port() as port:
        cookie = {"Cookie": f"nni-{EXPERIMENT_ID}={port.tokens.view()}"}
        status, _, text = await request(port, "GET", "/", cookie)
        assert status == 503 and "build_page.py" in text
