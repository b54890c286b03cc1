"""Whatever cannot be minted, issued or signed is refused: nothing is let past unread or unbound. The faults are injected into
the test build; the binary we ship has no such door."""

import os
import subprocess

from holdfast import (ADDRESSES, PUBLIC, RELEASE, Holdfast, Origin, Skip, Workspace,
                      forward_config, main, own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
BOUND = (f'{{ host = "allowed.test"; methods = "any"; paths = "any"; credential = "orders"; bind = ["wimse"]; '
         f'inject = "always"; upstream_trust = "{ws.ca.file}"; }}')


def start(fault, wait=True):
    h = Holdfast(ws, forward_config(BOUND), name=f"fault-{fault}", env={"HOLDFAST_FAULTS": fault}, wait=wait)
    if wait and not any("faults injected" in li["msg"] for li in h.lines):
        h.stop()
        raise Skip("this build has no faults to inject")
    return h


@promise
def without_a_token_for_its_tasks_it_does_not_start():
    h = start("sign")       # skips where there are no faults
    h.stop()
    h = start("issue", wait=False)
    assert h.wait_exit() == 1, h.tail()
    assert any(li.get("reason") == "mint_token" and "did not start" in li["msg"] for li in h.lines), h.tail()


@rows([("sign", (500, "sign"))])
def a_request_that_cannot_be_bound_is_refused(row):
    fault, expected = row
    h = start(fault)
    origin.forget()
    mark = h.mark()
    answer = h.get("/orders")
    assert (answer.status, answer.reason) == expected, (answer.line, answer.body)
    (line,) = h.wait_requests(1, mark)
    assert (line["status"], line["reason"]) == expected, line
    assert not origin.requests, "it left unbound"
    h.stop()


@promise
def a_leaf_that_cannot_be_minted_ends_the_connection():
    h = start("mint")
    origin.forget()
    mark = h.mark()
    channel, answer = h.connect()
    assert answer.status == 200
    try:
        channel.start_tls(h.client_context(), "allowed.test")
        raise AssertionError("a handshake without a leaf of ours")
    except OSError:
        pass
    h.wait_line(lambda li: li.get("reason") == "mint_leaf", mark, what="mint_leaf")
    assert not origin.connections, "it was spliced"
    h.stop()


@promise
def the_shipped_binary_takes_no_faults():
    if not os.path.exists(RELEASE):
        raise Skip(f"{RELEASE} is not built")
    strings = subprocess.run(["strings", RELEASE], capture_output=True, text=True, check=True).stdout
    assert "HOLDFAST_FAULTS" not in strings


main(ws.remove)
