"""How long a WebSocket over HTTP/1.1 lasts: until nothing moves, its rule or its task ends, or Holdfast does."""

import threading

import sockets
from control import ask
from holdfast import Holdfast, forward_config, grant, main, promise
from ws_scene import NAMES, RULES, TRUST, echo, end, is_cut, line_of, rule, service, tunnel, ws


def sidecar(name, limits="", more="", rules=RULES, **told):
    return Holdfast(ws, forward_config(rules, names=NAMES, limits=limits, more=more, **told), name=name)


@promise
def an_idle_socket_ends_and_is_told_of_as_idle():
    idle = sidecar("idle", 'stream_idle = "2s";')
    service.will(lambda c, r: (c.send(sockets.acceptance(r)), c.read()))
    with tunnel(of=idle) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        assert c.read_to_end() == b""
    service.wait()
    line = line_of(0, "idle", idle)
    assert line["status"] == 101 and line["ms"] >= 1900
    idle.stop()


@promise
def a_service_that_does_not_answer_the_handshake_is_a_504():
    slow = sidecar("slow", 'stream_idle = "2s";')
    service.will(lambda c, r: c.read())
    with tunnel(of=slow) as c:
        answer = sockets.open_by_hand(c, path="/chat/a")
        assert answer.status == 504, answer.line
    assert line_of(0, "upstream_timeout", slow)["status"] == 504
    slow.stop()


@promise
def a_kept_connection_that_its_service_closes_is_tried_once_more_on_a_fresh_one():
    again = sidecar("again", rules=rule("allowed.test", f'websocket = true; http = "1.1"; {TRUST}'))
    kept, lost = [], []

    def answer(connection, request):
        if request.target == "/quiet":
            kept.append(connection)
            connection.reply(200, "kept")
            return False
        if connection in kept:
            lost.append(connection)
            return True
        return echo(connection, request)
    before, service.origin.answer = service.origin.answer, answer
    try:
        with tunnel(of=again) as c:
            assert c.request("GET", "/quiet", "allowed.test").status == 200
            assert sockets.open_by_hand(c, path="/chat/a").status == 101
        assert lost, "it was not asked on the kept one"
    finally:
        service.origin.answer = before
    again.stop()


@promise
def a_socket_has_no_total_time_out():
    """Each of the waits is shorter than what ends an idle one, and all of them together longer than everything that ends others."""
    quick = sidecar("quick", 'stream_idle = "20s"; head_timeout = "2s"; connection_idle = "2s"; connect_timeout = "2s"; handshake_timeout = "2s";')
    nobody = threading.Event()

    def then(connection, request):
        connection.send(sockets.acceptance(request))
        for _ in range(3):
            nobody.wait(1)              # no event: time itself is what must not matter
            connection.send(b"still here")
            connection.read()
        connection.say_end()
    service.will(then)
    with tunnel(of=quick) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        for _ in range(3):
            assert c.until(b"here") == b"still here"
            c.send(b"so am I")
        c.sock.unwrap()
    assert line_of(0, of=quick)["ms"] > 2900
    quick.stop()


@promise
def a_reload_leaves_a_socket_with_its_generation():
    still = sidecar("still")
    service.will(echo)
    with tunnel(of=still) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        told = still.reload(forward_config(RULES, names=NAMES, limits='stream_idle = "299s";'))
        assert told["msg"] == "config reloaded", told
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        c.sock.unwrap()
    assert line_of(0, of=still)["gen"] == 1
    still.stop()


@promise
def a_rule_that_no_longer_allows_sockets_ends_those_it_allowed():
    narrow = sidecar("narrow")
    service.will(echo)
    with tunnel(of=narrow) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        narrow.reload(forward_config(RULES.replace("websocket = true;", ""), names=NAMES))
        assert c.read_to_end() == b""
    service.wait()
    line_of(0, "task_ended", narrow)
    with tunnel(of=narrow) as c:
        c.send(sockets.head("/chat/a"))
        assert c.read_answer().reason == "websocket_not_allowed"
    narrow.stop()


@promise
def holdfasts_own_end_lets_a_socket_go_on_for_a_while_and_no_longer():
    ending = sidecar("ending", 'drain = "1s";')
    service.will(echo)
    with tunnel(of=ending) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        ending.stop()
        assert c.read_to_end() == b""
    service.wait()


def with_tasks(name, drain):
    told = grant(RULES).replace('task = "standing"; ttl = "15m";', f'task = "required"; ttl = "1h"; drain = "{drain}";')
    started = Holdfast(ws, lambda at: forward_config("", grants=told, names=NAMES)(at) + f'control = {{ socket = "{at.run}/control.sock"; }};\n',
                       name=name)
    return started, lambda verb, **more: ask(f"{started.run}/control.sock", verb, **more)


@promise
def the_end_of_its_task_cuts_it_on_both_sides():
    tasks, say = with_tasks("tasks", "0s")
    task = say("task_start", grant="tests", purpose="testing", max_requests=1)
    service.will(echo)
    with tunnel(of=tasks) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        c.send(b"hello" * 1000)
        assert len(c.until(b"hello" * 1000)) == 5000
        with tunnel(of=tasks) as other:
            other.send(sockets.head("/chat/a"))
            assert other.read_answer().reason == "task_budget", "the socket is one request, for as long as it lasts"
        assert say("task_revoke", grant="tests")["ended"] == 1
        assert is_cut(c)
    service.wait()
    assert ("task_ended", 101, task["id"]) in [(li["reason"], li["status"], li["task"]) for li in tasks.wait_requests(2)]
    with tunnel(of=tasks) as c:
        c.send(sockets.head("/chat/a"))
        assert c.read_answer().reason == "task_required"
    tasks.stop()


@promise
def a_task_that_drains_leaves_it_until_somebody_hurries():
    tasks, say = with_tasks("draining", "1h")
    task = say("task_start", grant="tests", purpose="testing")
    service.will(echo)
    with tunnel(of=tasks) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        ended = threading.Thread(target=say, args=("task_end",), kwargs={"id": task["id"]}, daemon=True)
        ended.start()
        while say("task_list", grant="tests")["tasks"]:
            pass
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        tasks.kill(2)
        assert c.read_to_end() == b""
    tasks.wait_exit()
    tasks.assert_clean()
    line_of(0, "draining", tasks)


main(end)
