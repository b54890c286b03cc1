"""docs/BINDINGS.md says what the tests find: its table of thefts is the one that is tried, and each config it prints is one."""

import os
import re
import subprocess

from holdfast import BINARY, PROXY_UID, ROOT, WORKLOAD_UID, Workspace, main, promise, rows
from thefts import BINDINGS, PASSES, THEFTS

with open(os.path.join(ROOT, "docs/BINDINGS.md"), encoding="utf-8") as f:
    PAGE = f.read()
ws = Workspace()


def cell(text):
    return f"**{PASSES}**" if text == PASSES else f"`{text}`"


@promise
def the_page_and_the_test_have_the_same_table_of_thefts():
    printed = re.search(r"<!-- thefts -->\n\|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)+)", PAGE)
    wanted = "".join(f"| {theft} | {' | '.join(cell(c) for c in cells)} |\n" for theft, cells in THEFTS.items())
    assert printed and printed[1] == wanted, f"docs/BINDINGS.md should have:\n{wanted}"
    head = re.search(r"<!-- thefts -->\n(.*)\n", PAGE)[1]
    assert re.findall(r"`(\w+)`", head) == list(BINDINGS), head


# What every sidecar and every gate says besides.
SIDECAR = """
workload = {{ id = "spiffe://prod.example/ns/agents/sa/builder"; uid = {workload}; }};
user = "{user}";
ca = {{ keep = "{path}/ca"; publish = "{path}/public"; }};
authority = {{ keep = "{path}/authority"; name = "prod.example"; }};
ledger = {{ keep = "{path}/ledger"; }};
doors = ( {{ kind = "forward"; listen = "127.0.0.1:0"; }} );
{block}
grants = (
  {{ name = "g"; owner = "a@example"; approved_by = "b@example"; ticket = "SEC-1"; approved_at = "2026-11-20"; expires_at = "2099-01-01";
    purposes = ["p"]; task = "required"; ttl = "15m"; caller = {{ uid = {workload}; }}; rules = ( {rule} ); }}
);
"""


def moved(text):
    """A gate's files are read when it is checked."""
    leaf = ws.leaf("orders.example")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    for old, new in (("/etc/holdfast/gate.pem", leaf.certificate), ("/run/secrets/gate.key", leaf.key),
                     ("/etc/holdfast/prod.jwks.json", ws.file("prod.jwks.json", '{"keys":[]}')), ("/etc/holdfast/clients.pem", ws.ca.file)):
        text = text.replace(old, new)
    return text


BLOCKS = re.findall(r"^```conf\n(.*?)^```$", PAGE, re.M | re.S)


@rows([(str(i), block) for i, block in enumerate(BLOCKS, 1)])
def a_config_of_the_page_is_taken(case):
    told = {"workload": WORKLOAD_UID, "user": PROXY_UID, "path": ws.path}
    gate = re.search(r'kind = "gate"', case[1])
    if gate:
        text = f'user = "{PROXY_UID}";\n{moved(case[1])}'
    else:
        block, _, rule = case[1].partition("# in a grant's rules\n")
        text = SIDECAR.format(block=block, rule=rule, **told)
    path = ws.file(f"{case[0]}.conf", text)
    done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, text=True, check=False, timeout=300,
                          env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, (text, done.stdout + done.stderr)


@promise
def each_binding_has_its_config_there():
    for binding in ("httpsig", "dpop", "wimse", "mtls", "header", "bearer"):
        assert any(f'bind = ["{binding}"]' in block for block in BLOCKS), binding
        assert binding in ("header", "bearer") or any(f'accept = ["{binding}"]' in block for block in BLOCKS), binding


if __name__ == "__main__":
    main(ws.remove)
