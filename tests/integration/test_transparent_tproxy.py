"""A transparent door that connections are given to as they are (TPROXY): the address they were made to is the socket's own."""

import subprocess

import turned
from client import PROXY_UID
from holdfast import (ADDRESSES, OTHER_UID, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Origin, Sidecar, client_hello, forward_config, hosts, main,
                      own_network, promise)
from turned import PORT, PUBLIC6, connect

own_network(ADDRESSES + [PUBLIC6])
FOREIGN = "203.0.113.9"                     # of no interface here: only TPROXY's own route brings it in
for words in (f"route add default dev lo src {PUBLIC}", "rule add fwmark 7 lookup 100", "route add local default dev lo table 100"):
    subprocess.run(["ip", *words.split()], check=True)
ALSO = ', { host = "allowed.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }'
s = Sidecar(also=ALSO, doors=turned.BY_TPROXY, names=hosts(allowed_test=PUBLIC, denied_test=PUBLIC2),
            limits="refusal_leaf_rate = 1;")
plain = Origin(PUBLIC, 80)
turned.lead(turned.TPROXY)


def ask(name="allowed.test", address=PUBLIC, uid=WORKLOAD_UID, path="/"):
    with connect(address, 443, uid).start_tls(s.h.client_context(), name) as c:
        return c.request("GET", path, name)


@promise
def it_is_served_by_the_name_it_says_and_the_port_it_went_to():
    for address in (PUBLIC, PUBLIC2, FOREIGN, PUBLIC6):
        mark = s.mark()
        assert ask(address=address, path="/x").status == 200
        (_, (line,)) = s.since(mark)
        printed = f"[{address}]" if ":" in address else address
        assert (line["door"], line["to"], line["orig"], line["up"]) == \
            ("transparent", "allowed.test:443", f"{printed}:443", f"{PUBLIC}:443"), line


@promise
def the_caller_is_who_holds_the_clients_end():
    mark = s.h.mark()
    assert ask(uid=OTHER_UID).reason == "caller_not_allowed"
    assert ask().status == 200
    assert [li["who"] for li in s.h.wait_requests(2, mark)] == [f"uid:{OTHER_UID}", f"uid:{WORKLOAD_UID}"]


@promise
def plain_http_passes_and_another_name_is_refused():
    before = len(plain.requests)
    with connect(PUBLIC, 80) as c:
        assert c.request("GET", "/p", "allowed.test").status == 200
        assert c.request("GET", "/p", "allowed.test:81").reason == "port_disagrees"
    assert [r.target for r in plain.requests[before:]] == ["/p"]
    assert ask("denied.test", PUBLIC2).reason == "host_not_allowed"


@promise
def a_connection_to_the_door_itself_is_refused():
    for address in ("127.0.0.1", "::1"):
        with connect(address, PORT) as c:
            assert c.request("GET", "/", "allowed.test").reason == "not_intercepted"


@promise
def a_connection_of_our_own_that_comes_back_is_not_served():
    mark = s.h.mark()
    turned.lead(turned.TPROXY, who="")
    try:
        with connect(PUBLIC, 443, uid=PROXY_UID) as c:
            assert c.is_closed()
        s.h.wait_line(lambda li: li.get("reason") == "own_connection", mark, what="own_connection")
    finally:
        turned.lead(turned.TPROXY)


@promise
def without_the_right_to_it_nothing_starts_and_it_is_said_why():
    config = forward_config(s.rule(), doors=turned.BY_TPROXY.replace(str(PORT), "0"))
    h = Holdfast(s.ws, lambda h: config(h).replace('user = "64902";\n', ""), name="unprivileged", wait=False, uid=PROXY_UID)
    assert h.wait_exit() == 75, h.tail()
    assert any("needs CAP_NET_ADMIN" in t for t in h.text), h.tail()


@promise
def who_asks_for_many_names_that_nobody_has_is_shown_no_more_leaves():
    mark = s.h.mark()
    open_ones = [connect(PUBLIC2, 443) for _ in range(30)]
    for i, c in enumerate(open_ones):
        c.send(client_hello([b"n%d.test" % i]))
    line = s.h.wait_line(lambda li: li.get("reason") == "leaf_rate", mark, what="leaf_rate")
    assert line["msg"] == "connection" and line["to"].startswith("n") and line["orig"] == f"{PUBLIC2}:443", line
    for c in open_ones:
        c.close()


main(s.end)
