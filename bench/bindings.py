"""What each binding costs a request: user-mode instructions of the whole process by callgrind, over one kept-alive connection to a
service beside it. Each is run twice, with 200 and with 1,200 requests; the difference over 1,000 is what a request costs, without
start-up, handshakes and the token's way here. As root, in a network of its own, beside the tests' peers:

    HOLDFAST_BINARY=build/release/holdfast /usr/bin/python3 -B bench/bindings.py [body bytes]
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/integration"))

from as_peer import Provider, client
from client_certs import Clients, Kept, asking
from holdfast import (ADDRESSES, BINARY, CREDENTIAL, PROXY_UID, PUBLIC, PUBLIC2, Holdfast, Origin, Workspace, forward_config, hosts,
                      leave, own_network)

FEW, MANY = 200, 1200
BOUND = ("httpsig", "dpop", "wimse", "mtls", "bearer")
own_network(ADDRESSES)
ws = Workspace()
clients = Clients(ws)
kept = Kept(ws, "bench", clients.make("bench.client"))
idp = Provider(ws, PUBLIC2, "as.test", [client("agent", client_secret="of-the-agent")], {"https://allowed.test/": "opaque"})
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=lambda c, r: c.read_body(r) and None or c.reply(200, b"x" * 100))
origin._context = asking(ws.leaf("allowed.test"), clients)


def secret(name, value):
    return ws.file(name, value, mode=0o400, owner=PROXY_UID)


CREDENTIALS = {
    "dpop": f"""kind = "oauth"; token_endpoint = "https://as.test/token"; trust = "{ws.ca.file}"; client_id = "agent";
      client_auth = "client_secret_basic"; client_secret = "{secret("agent", "of-the-agent")}"; resource = ["https://allowed.test/"];""",
    "bearer": f'kind = "file"; path = "{secret("bearer", "of-everybody-0123456789")}";',
}


def config(binding):
    told = "".join(f"""
  {name} = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "all";
    source = {{ {source} }}; }};""" for name, source in CREDENTIALS.items()) + kept.credential("mtls")
    name = binding if binding in ("dpop", "bearer", "mtls") else "orders"
    because = 'unbound_because = "to measure";' if binding == "bearer" else ""
    bound = f'credential = "{name}"; bind = ["{binding}"]; inject = "always"; {because}' if binding else ""
    rule = f'{{ host = "allowed.test"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}"; {bound} }}'
    return forward_config(rule, workers=1,
                          credentials=CREDENTIAL.replace("credentials = {", "credentials = {" + told),
                          names=hosts(allowed_test=PUBLIC, as_test=PUBLIC2))


def instructions(binding, n, body):
    log = os.path.join(ws.directory("callgrind", mode=0o777), "log")
    grind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}"]
    h = Holdfast(ws, config(binding), argv_before=grind, name=f"{binding or 'none'}-{n}", binary=BINARY, wait=False)
    h.wait_for("ready", timeout=600)
    with h.tls() as c:
        for _ in range(n):
            answer = c.request("POST" if body else "GET", "/v1/orders/7?tenant=7", "allowed.test", body=body)
            assert answer.status == 200, (answer.status, answer.body)
    h.stop()
    with open(log, encoding="ascii") as f:
        return int(re.search(r"Collected : (\d+)", f.read())[1])


def main(body):
    least = None
    for binding in (None, *BOUND):
        each = (instructions(binding, MANY, body) - instructions(binding, FEW, body)) // (MANY - FEW)
        least = least or each
        print(f"{binding or 'none':8} {each:8,} user instructions per request, {each - least:8,} more", flush=True)


main(b"x" * int(sys.argv[1]) if len(sys.argv) > 1 else None)
leave(0)
