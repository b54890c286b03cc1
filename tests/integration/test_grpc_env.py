"""gRPC clients that are told of nothing: what `holdfast env` prints is all they have."""

import subprocess

from h2_origin import H2Origin
from holdfast import (ADDRESSES, BINARY, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Workspace, forward_config, hosts, main, own_network,
                      rows, run_as)
from strangers import PYTHON, node_folder, python_has, python_script, tool

own_network(ADDRESSES)
ws = Workspace()
PATHS = 'methods = ["POST"]; paths = ["/a.Echo/Say"];'
RULES = f'''{{ host = "safe.test"; {PATHS} upstream_trust = "{ws.ca.file}"; }},
  {{ host = "clear.test"; port = 50051; scheme = "http"; http = "2"; {PATHS} }}'''


def answer(stream):
    stream.answer()
    stream.reply(200, stream.body, [("content-type", "application/grpc")], [("grpc-status", "0")])


safe = H2Origin(PUBLIC, 443, ws.leaf("safe.test"), answer=answer)
clear = H2Origin(PUBLIC2, 50051, answer=answer)


def config(h):
    text = forward_config(RULES, names=hosts(safe_test=PUBLIC, clear_test=PUBLIC2), listen="127.0.0.1:0")(h)
    text = text.replace('kind = "forward";', 'kind = "forward"; h2c = true;')
    return text + f'control = {{ socket = "{h.run}/control/control.sock"; }};\n'


holdfast = Holdfast(ws, config)


def environment():
    done = subprocess.run([BINARY, "env", "-c", holdfast.config_path, "--format", "docker"], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def grpcio():
    python_has("grpc", "python3-grpcio")
    return [PYTHON, "-B", python_script(ws, "calls_env.py")]


def grpc_js():
    return [tool("node"), node_folder(ws, "@grpc/grpc-js") + "/calls_env.mjs"]


def call(client, target, path, how):
    done = run_as(WORKLOAD_UID, [*client(), target, path, how], environment(), text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    code, _, told = done.stdout.strip().partition(" ")
    return int(code), told


CLIENTS = [("grpcio", grpcio), ("grpc-js", grpc_js)]


@rows(CLIENTS)
def inside_tls_nothing_else_is_needed(row):
    mark = holdfast.mark()
    assert call(row[1], "safe.test:443", "/a.Echo/Say", "tls") == (0, "hello")
    (line,) = holdfast.wait_requests(1, mark)
    assert (line["http"], line["up_http"], line["status"], line["reason"]) == ("2", "2", 200, "ok"), line


@rows(CLIENTS)
def in_the_clear_the_door_and_the_rule_have_to_say_so(row):
    mark = holdfast.mark()
    assert call(row[1], "clear.test:50051", "/a.Echo/Say", "clear") == (0, "hello")
    (line,) = holdfast.wait_requests(1, mark)
    assert (line["http"], line["up_http"], line["status"], line["reason"]) == ("2", "2", 200, "ok"), line


@rows([(f"{name}, {how}", client, target, how) for name, client in CLIENTS
       for target, how in (("safe.test:443", "tls"), ("clear.test:50051", "clear"))])
def what_is_refused_says_why(row):
    _, client, target, how = row
    before = len(safe.requests) + len(clear.requests)
    code, told = call(client, target, "/a.Echo/Shout", how)
    assert code == 7 and "path_not_allowed: A grant names this host, but not this path." in told, (code, told)
    assert len(safe.requests) + len(clear.requests) == before


def end():
    holdfast.stop()
    ws.remove()


main(end)
