"""A config that the kubelet shows from a ConfigMap: each change is one reload under load, nothing is lost, and one that is wrong
changes nothing and is told where an operator looks."""

import itertools
import threading

from holdfast import ADDRESSES, Holdfast, Origin, PUBLIC, Workspace, by_size, forward_config, main, own_network, promise
from kubelet import Volume
from ops import DOOR, Page
from ops import ask as probe

own_network(ADDRESSES)

CLIENTS = 3
ws = Workspace()
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
drains = itertools.count(10)


class Mapped(Holdfast):
    """Beside a ConfigMap."""

    def __init__(self, name, config):
        self.volume = Volume(ws.directory(name + "-map", owner=0))
        super().__init__(ws, config, name=name, config_name=f"{name}-map/holdfast.conf")

    def write_config(self, config):
        self.volume.put({"holdfast.conf": config if isinstance(config, str) else config(self)})

    def reloads(self):
        return [li for li in self.lines if li.get("msg") in ("config reloaded", "config rejected")]


def config(also="watch = true;\n"):
    """Another one each time: its drain differs."""
    rule = f'{{ host = "allowed.test"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}"; }}'
    inside = forward_config(rule, limits=f'drain = "{next(drains)}s";', doors=DOOR)
    return lambda h: inside(h) + also


class Load:
    """Clients that ask one request after the other."""

    def __init__(self, h):
        self.h, self.done, self.failures, self.over = h, 0, [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def _ask(self):
        while not self.over.is_set():
            try:
                answer = self.h.get("/x")
                told = None if answer.status == 200 and answer.whole else f"{answer.line} {answer.body}"
            except Exception as error:                   # whatever it is, a request was lost
                told = repr(error)
            with self.lock:
                self.done += 1
                self.failures += [told] if told else []

    def wait(self, more):
        """Until so many more have been answered."""
        want = self.done + more
        while self.done < want and any(t.is_alive() for t in self.threads):
            self.over.wait(0.01)

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join()
        assert not self.failures, self.failures[:3]


@promise
def each_swap_is_one_reload_and_no_request_is_lost():
    h = Mapped("swaps", config())
    load = Load(h)
    n = by_size(3, 10)
    for i in range(n):
        load.wait(CLIENTS)
        since = h.index()
        h.write_config(config())
        line = h.wait_for("config reloaded", "config rejected", since=since)
        assert (line["msg"], line["generation"]) == ("config reloaded", i + 2), line
    load.wait(2 * CLIENTS)
    load.end()
    h.stop()
    assert [li["msg"] for li in h.reloads()] == ["config reloaded"] * n
    assert {li["status"] for li in h.requests()} == {200}
    assert len(h.requests()) == load.done


@promise
def a_bad_one_keeps_the_old_generation_and_shows_where_one_looks():
    h = Mapped("bad", config())
    assert probe(h, "/readyz")[:2] == (200, "ok\n")
    load = Load(h)
    for broken in (lambda text: text.replace("methods", "methdos"), lambda text: text[:len(text) // 2], lambda text: "\0" * 100):
        since = h.index()
        h.write_config(broken(config()(h)))
        assert h.wait_for("config reloaded", "config rejected", since=since)["msg"] == "config rejected"
        load.wait(CLIENTS)
        status, said, _ = probe(h, "/readyz")
        assert (status, said) == (200, "ok\nthe config that was read last was rejected: generation 1 is in force\n"), said
        page = Page(h)
        assert page.get("holdfast_config_last_reload_successful") == 0 and page.get("holdfast_config_generation") == 1
    since = h.index()
    h.write_config(config())
    assert h.wait_for("config reloaded", "config rejected", since=since)["generation"] == 2
    assert probe(h, "/readyz")[:2] == (200, "ok\n")
    assert Page(h).get("holdfast_config_last_reload_successful") == 1
    load.end()
    h.stop()
    assert len(h.reloads()) == 4


@promise
def without_watch_a_swap_is_taken_over_by_the_signal():
    h = Mapped("signal", config(also=""))
    h.write_config(config(also=""))
    assert h.reload()["generation"] == 2
    h.stop()
    assert len(h.reloads()) == 1


main()
