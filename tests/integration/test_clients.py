"""Stock clients: curl, Python (strict), requests, Node; GET, POST and a 10 MiB upload, as three witnesses tell them."""

import hashlib
import json
import os
import shutil

from holdfast import (ADDRESSES, ROOT, Sidecar, Skip, WORKLOAD_UID, curl, main, own_network, promise, rows, run_as)
from strangers import node_knows_proxies

own_network(ADDRESSES)
s = Sidecar()
os.chmod(s.ws.path, 0o755)
UPLOAD = b"0123456789abcdef" * (10 << 16)
UPLOAD_FILE = s.ws.file("upload", UPLOAD)
URL = "https://allowed.test/items?page=private-page"
NODE = shutil.which("node")
with open(os.path.join(ROOT, "tests/integration/through.mjs"), "rb") as script:
    THROUGH = s.ws.file("through.mjs", script.read())     # where the workload can read it, wherever the checkout is


def told(mark, method, body):
    """What the service saw and the log says of one exchange."""
    (request,), (line,) = s.since(mark)
    assert request.method == method and request.target == "/items?page=private-page", request.line
    assert request.body_sha256 == hashlib.sha256(body).hexdigest()
    assert request.get("host") == "allowed.test"
    assert (line["status"], line["reason"], line["who"]) == (200, "ok", f"uid:{WORKLOAD_UID}"), line
    assert (line["to"], line["path"], line["door"]) == ("allowed.test:443", "/items", "forward"), line
    assert line["up"].startswith("20.0.0.10") and line["grant"] == "tests", line
    assert line["rule"].startswith(s.h.config_path + ":"), line
    assert "private-page" not in json.dumps(line), "a query string in the log"


CALLS = [("get", "GET", None), ("post", "POST", b"a=1"), ("upload", "POST", UPLOAD), ("put", "PUT", b"{}"),
         ("delete", "DELETE", None)]


@rows(CALLS)
def curl_works(call):
    _, method, body = call
    mark = s.mark()
    data = [] if body is None else ["--data-binary", "@" + UPLOAD_FILE if body is UPLOAD else body.decode()]
    done = curl(s.h.proxy, s.h.bundle, "-X", method, *data, URL)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["method"] == method
    told(mark, method, body or b"")


REQUESTS = """
import requests, sys, hashlib
body = open(sys.argv[3], "rb").read() if sys.argv[3] else None
r = requests.request(sys.argv[2], sys.argv[1], data=body, timeout=60)
assert r.status_code == 200, r.text
print(r.text)
"""


@rows(CALLS)
def python_requests_works(call):
    name, method, body = call
    mark = s.mark()
    file = "" if body is None else UPLOAD_FILE if body is UPLOAD else s.ws.file("body-" + name, body)
    done = run_as(WORKLOAD_UID, ["/usr/bin/python3", "-B", "-c", REQUESTS, URL, method, file],
                  {"HTTPS_PROXY": s.h.proxy, "REQUESTS_CA_BUNDLE": s.h.bundle})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["method"] == method
    told(mark, method, body or b"")


def node(method, *more):
    if NODE is None:
        raise Skip("there is no node")
    return run_as(WORKLOAD_UID, [NODE, THROUGH, s.h.proxy, URL, method, *more],
                  {"NODE_EXTRA_CA_CERTS": s.h.ca})


@rows(CALLS)
def node_works(call):
    _, method, body = call
    mark = s.mark()
    sent = None if body is None else (b"0123456789abcdef" * len(body))[:len(body)]
    done = node(method, *([] if body is None else [str(len(body))]))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["status"] == 200 and json.loads(answer["body"])["method"] == method, answer
    told(mark, method, sent or b"")


FETCH = """
const answer = await fetch(process.argv[1]);
console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
"""


@promise
def node_works_with_its_own_proxy_setting():
    if not node_knows_proxies():
        raise Skip("this Node has no NODE_USE_ENV_PROXY")
    mark = s.mark()
    done = run_as(WORKLOAD_UID, [NODE, "--input-type=module", "-e", FETCH, URL],
                  {"NODE_EXTRA_CA_CERTS": s.h.ca, "NODE_USE_ENV_PROXY": "1", "HTTPS_PROXY": s.h.proxy})
    assert done.returncode == 0 and json.loads(done.stdout)["status"] == 200, done.stderr
    told(mark, "GET", b"")


@promise
def the_strictest_python_accepts_the_leaf():
    mark = s.mark()
    with s.h.tls(context=s.h.client_context(strict=True)) as channel:
        assert channel.request("GET", "/items?page=private-page", "allowed.test").status == 200
    told(mark, "GET", b"")


@promise
def the_published_bundle_holds_the_system_roots_and_ours():
    ours = open(s.h.ca, encoding="ascii").read()
    bundle = open(s.h.bundle, encoding="ascii").read()
    assert ours.strip() in bundle
    system = open("/etc/ssl/certs/ca-certificates.crt", encoding="utf-8").read()
    assert bundle.count("BEGIN CERTIFICATE") == system.count("BEGIN CERTIFICATE") + 1
    assert "PRIVATE KEY" not in ours + bundle
    assert sorted(os.listdir(s.h.publish)) == ["bundle.pem", "ca.pem", "certs", "jwks.json", "truststore.p12"]


@rows([("--http1.1", "1.1"), ("--http2", "2")])
def a_refusal_can_be_read_inside_tls(row):
    option, version = row
    since = s.h.mark()
    done = curl(s.h.proxy, s.h.bundle, "-i", option, "https://denied.test/x?page=private-page")
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.decode().rpartition("\r\n\r\n")
    problem = json.loads(body)
    assert (problem["status"], problem["reason"]) == (403, "host_not_allowed")
    fields = [name.lower() + ":" + value for name, _, value in (line.partition(":") for line in head.splitlines())]
    assert 'proxy-status: holdfast; error=http_request_denied; details="host_not_allowed"' in fields
    assert "content-type: application/problem+json" in fields
    (line,) = s.h.wait_requests(1, since)
    assert (line["status"], line["reason"], line["to"]) == (403, "host_not_allowed", "denied.test:443"), line
    assert line["http"] == version, line
    assert line["x"] == problem["request_id"], "the client's request id finds the log's line"
    assert "up" not in line and not s.denied.connections


main(s.end)
