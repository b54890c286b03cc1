"""Clients and services that people use, over HTTP/2 through the forward door: what each saw, what the service saw and what the log
says agree."""

import hashlib
import json
import os
import re

import strangers
from connect_shim import Shim
from h2_scene import Scene, SERVICES, pattern
from holdfast import (ADDRESSES, ROOT, WORKLOAD_UID, Holdfast, by_size, curl, main, own_network, promise, rows, run_as)

SHIM = "20.0.0.99"
own_network([*ADDRESSES, SHIM])
s = Scene()
UPLOAD = pattern(by_size(1 << 20, 10 << 20))
UPLOAD_FILE = s.ws.file("upload", UPLOAD)
URL = "https://two.test/plain/x?bytes=1000"
SIGNED = "https://two.test/signed/x?bytes=1000"


def exchanged(mark, before, n, method="GET", path="/signed/x"):
    """The service saw n requests, each with a proof that the log tells of: the lines."""
    lines = s.h.wait_requests(n, mark)
    requests = s.two.wait_requests(before + n)[before:]
    claims = [s.proof(r, method, SIGNED.replace("/signed/x", path)) for r in requests]
    assert sorted(li["proof"] for li in lines) == sorted(c["jti"] for c in claims)
    assert {(li["status"], li["reason"], li["path"]) for li in lines} == {(200, "ok", path)}, lines
    return lines


def marks():
    return s.h.mark(), len(s.two.requests)


@rows([("http2", "--http2", "2"), ("http1", "--http1.1", "1.1")])
def curl_works(row):
    _, option, version = row
    mark = marks()
    done = curl(s.h.proxy, s.h.bundle, option, "-w", "\n%{http_version}", SIGNED)
    body, _, told = done.stdout.rpartition(b"\n")
    assert (done.returncode, told.decode(), len(body)) == (0, version, 1000), done.stderr
    exchanged(*mark, 1)
    done = curl(s.h.proxy, s.h.bundle, option, "--data-binary", f"@{UPLOAD_FILE}", "https://two.test/plain/up")
    assert json.loads(done.stdout)["body_sha256"] == hashlib.sha256(UPLOAD).hexdigest(), done.stderr


@promise
def curl_asks_for_many_at_once_on_one_connection():
    n, mark = 50, marks()
    done = curl(s.h.proxy, s.h.bundle, "--http2", "--parallel", "--parallel-max", "50", "-o", "/dev/null", "-w",
                "%{http_code} %{http_version} %{num_connects}\n", f"https://two.test/signed/[1-{n}]?bytes=1000")
    told = done.stdout.decode().split("\n")[:-1]
    assert done.returncode == 0 and len(told) == n and {t[:5] for t in told} == {"200 2"}, (told, done.stderr)
    assert len({li["proof"] for li in s.h.wait_requests(n, mark[0])}) == n


def hosts_file():
    """For clients that resolve the name themselves: it is where the shim is."""
    return s.ws.file("hosts", f"127.0.0.1 localhost\n{SHIM} two.test\n")


def with_hosts(argv):
    mount = f"mount --bind {hosts_file()} /etc/hosts && exec \"$@\""
    return run_as(0, ["unshare", "-m", "sh", "-c", mount, "sh", *argv], timeout=300)


@promise
def nghttp_works():
    nghttp = strangers.tool("nghttp")
    mark = marks()
    with Shim(s.h.door("forward"), "two.test:443", SHIM, 443):
        done = with_hosts([nghttp, "-v", "--no-dep", SIGNED])
        text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout.decode())
        assert ":status: 200" in text and "GOAWAY" in text, (text, done.stderr)
        exchanged(*mark, 1)
        before = len(s.two.requests)
        done = with_hosts([nghttp, "-n", "-s", "-m", "20", "-d", UPLOAD_FILE, "https://two.test/plain/up"])
        assert done.returncode == 0, done.stderr
        assert {r.body_sha256 for r in s.two.wait_requests(before + 20)[before:] if r.answer()} == {hashlib.sha256(UPLOAD).hexdigest()}


@promise
def h2load_works():
    h2load = strangers.tool("h2load")
    n = by_size(500, 5000)
    mark = marks()
    with Shim(s.h.door("forward"), "two.test:443") as shim:
        done = run_as(WORKLOAD_UID, [h2load, "-n", str(n), "-c", "5", "-m", "50", f"--connect-to=127.0.0.1:{shim.port}",
                                     "https://two.test/signed/x?bytes=1000"], timeout=600)
    text = done.stdout.decode()
    assert f"{n} succeeded, 0 failed, 0 errored" in text and f"status codes: {n} 2xx" in text, (text, done.stderr)
    assert len({li["proof"] for li in s.h.wait_requests(n, mark[0], timeout=120)}) == n


@promise
def node_works():
    mark = marks()
    (answer,) = strangers.node_h2_client(s.ws, s.h.proxy, s.h.ca, SIGNED)
    assert (answer["status"], answer["bytes"]) == (200, 1000), answer
    exchanged(*mark, 1)
    before = len(s.two.requests)
    answers = strangers.node_h2_client(s.ws, s.h.proxy, s.h.ca, "https://two.test/plain/up?trailers=1&bytes=70000", "POST", 300000, 20)
    assert {(a["status"], a["bytes"], a["trailers"].get("x-closing")) for a in answers} == {(200, 70000, "said at the end")}, answers
    for request in s.two.wait_requests(before + 20)[before:]:
        assert dict(request.trailers)["x-sent"] == request.body_sha256 == hashlib.sha256(pattern(300000)).hexdigest()
    (answer,) = strangers.node_h2_client(s.ws, s.h.proxy, s.h.ca, "https://two.test/forbidden")
    assert (answer["status"], json.loads(answer["body"])["reason"]) == (403, "path_not_allowed"), answer


HTTPX = """
import httpx, sys
with httpx.Client(http2=True, verify=sys.argv[2], timeout=300) as c:
    for _ in range(3):
        r = c.post(sys.argv[1], content=b"x" * 100000)
        print(r.status_code, r.http_version, len(r.content))
"""


@promise
def httpx_works():
    strangers.python_has("httpx", "python3-httpx")
    mark = marks()
    done = run_as(WORKLOAD_UID, [strangers.PYTHON, "-B", "-c", HTTPX, SIGNED, s.h.ca], {"HTTPS_PROXY": s.h.proxy})
    assert done.stdout.decode().split("\n")[:3] == ["200 HTTP/2 1000"] * 3, (done.stdout, done.stderr)
    exchanged(*mark, 3, "POST")


@promise
def java_works():
    java = strangers.tool("java")
    with open(os.path.join(ROOT, "tests/integration/Get.java"), "rb") as f:
        source = s.ws.file("Get.java", f.read())
    address, port = s.h.door("forward")
    mark = marks()
    done = run_as(WORKLOAD_UID, [java, "-Xshare:auto", source, address, str(port), s.h.ca, SIGNED, "10"], timeout=600)
    assert done.returncode == 0 and done.stdout.decode().split("\n")[:10] == ["200 HTTP_2 1000"] * 10, (done.stdout, done.stderr)
    exchanged(*mark, 10, "POST")


# ---- services by others

def beside(name, service_kind):
    """A Holdfast whose two.test is this service's."""
    s.two.stop()
    return Holdfast(s.ws, s.config(), name=f"{name}-{service_kind}")


@rows([("h1", "h1"), ("h2", "h2")])
def nodes_service_is_understood(row):
    """Last of all: it takes the place of the service."""
    _, client = row
    h, there = beside("node", client), None
    try:
        there = strangers.node_h2(s.ws, "20.0.0.20", s.ws.leaf("two.test"))
        asking = s.asking(client, "h2")
        asking.h = h
        body = pattern(300000)
        answer = asking("POST", "/signed/x?q=1", [("x-own", "v")], body)
        told = there.wait_calls(1)[0]
        assert answer.status == 200 and told["body_sha256"] == hashlib.sha256(body).hexdigest()
        assert told.get("x-own") == "v" and all(told.tokens) and told["target"] == "/signed/x?q=1"
        for path, status, n in (("/plain/../bytes/100000", 403, None), ("/plain/x", 200, None)):
            assert asking("GET", path).status == status, (path, n)
    finally:
        if there:
            there.stop()
        h.stop()


main(s.end)
