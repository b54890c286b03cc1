"""A browser behind the forward door: a page of many resources, each by HTTP/2, and what the page itself tells of them."""

import base64
import hashlib
import json
import os
import subprocess
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization

import strangers
from h2_origin import client_context
from h2_scene import Scene, answer_h2
from holdfast import ADDRESSES, WORKLOAD_UID, at_end, main, own_network, promise

own_network(ADDRESSES)
s = Scene(limits='stream_idle = "1h";', workers=1)     # each worker's leaves have a key of their own
MANY = 150
PAGE = f"""<!doctype html><title>many</title><body><script>
const seen = {{ loaded: 0, failed: 0, posted: null }};
const one = (i) => fetch("/plain/resource/" + i + "?bytes=" + (i * 100)).then(async (a) => {{
    const size = (await a.arrayBuffer()).byteLength;
    seen[a.status === 200 && size === i * 100 ? "loaded" : "failed"]++;
}}, () => seen.failed++);
(async () => {{
    await Promise.all(Array.from({{ length: {MANY} }}, (_, i) => one(i)));
    const posted = await fetch("/plain/echo", {{ method: "POST", body: "x".repeat(100000), headers: {{ "X-Own": "v" }} }});
    seen.posted = (await posted.json()).body_bytes;
    seen.refused = (await fetch("/forbidden")).status;
    seen.protocols = [...new Set(performance.getEntriesByType("resource").map((e) => e.nextHopProtocol))];
    await fetch("/plain/report", {{ method: "POST", body: JSON.stringify(seen) }});
}})();
</script>"""


reported, reports = threading.Event(), []


def answer(stream):
    if stream.target == "/plain/page":
        stream.reply(200, PAGE, [("content-type", "text/html")])
    elif stream.target == "/plain/report":
        stream.answer()
        reports.append(json.loads(stream.body))
        reported.set()
        stream.reply(204)
    else:
        answer_h2(stream)


def key_of_leaves():
    """What every leaf has, as the browser is told to take it."""
    with s.h.tls("two.test:443", context=client_context(s.h)) as c:
        leaf = x509.load_der_x509_certificate(c.sock.getpeercert(True))
    spki = leaf.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def browse(url):
    """A browser that stays until it is ended."""
    home = s.ws.directory("browser", owner=WORKLOAD_UID)
    process = subprocess.Popen(
        [strangers.tool("chromium-headless-shell"), "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--no-first-run", "--remote-debugging-port=0",
         f"--user-data-dir={home}", f"--proxy-server={s.h.proxy}", f"--ignore-certificate-errors-spki-list={key_of_leaves()}", url],
        user=WORKLOAD_UID, group=WORKLOAD_UID, extra_groups=[], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOME": home})
    at_end(process.kill)
    return process


@promise
def a_page_of_many_resources_is_loaded_by_http_2():
    mark = s.h.mark()
    s.two.answer = answer
    browser = browse("https://two.test/plain/page")
    try:
        assert reported.wait(300), "the page never told how it went"
    finally:
        browser.kill()
        browser.wait()
        s.two.answer = answer_h2
    (report,) = reports
    assert (report["loaded"], report["failed"], report["posted"], report["refused"]) == (MANY, 0, 100000, 403), report
    assert report["protocols"] == ["h2"], report
    lines = [li for li in s.h.wait_requests(MANY + 4, mark) if li["path"].startswith("/plain/resource/")]
    assert len({li["path"] for li in lines}) == MANY and {li["status"] for li in lines} == {200}


main(s.end)
