"""The session of docs/OPERATING.md, as it is printed there: its config, its commands, and what they say."""

import os
import re
import subprocess

from holdfast import (ADDRESSES, BINARY, PROXY_UID, PUBLIC, ROOT, WORKLOAD_UID, Holdfast, Origin, Workspace, hosts, main, own_network,
                      promise)

own_network(ADDRESSES)
ws = Workspace()

with open(os.path.join(ROOT, "docs/OPERATING.md"), encoding="utf-8") as f:
    DOC = f.read()


def block(kind):
    found = re.findall(rf"^```{kind}\n(.*?)^```$", DOC, re.M | re.S)
    assert len(found) == 1, (kind, len(found))
    return found[0]


def steps(console):
    """(command, what it prints) of each."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.M)
    assert parts[0] == "", parts[0]
    return list(zip(parts[1::2], parts[2::2]))


SAME = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"^\d\d:\d\d:\d\d\.\d{3} ", "TIME "),
    (r"\bholdfast \d+\.\d+\.\d+, pid \d+", "holdfast VERSION, pid N"),
    (r"\bup \d+ \w+( \d+ \w+)?", "up N"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\blag \d+ ms", "lag N ms"),
    (r"\bms=\d+", "ms=N"),
    (r"\bx=[0-9a-f]+\.\d+", "x=N"),
    (r'"request_id":"[0-9a-f]+\.\d+"', '"request_id":"N"'),
    (r"\buid[: ]\d+", "uid N"),
    (r"\b\d+ records, \d+ queued, 0 lost, last \d+, checkpoint \d+", "N records"),
    (r"\bt-[\w-]{22}(:[\w-]{22})?", "TASK"),
    (r"\bin \d+ \w+( \d+ s)?$", "in N"),
    (r": \d+ \w+( \d+ s)? left", ": N left"),
]


def normal(text):
    for pattern, word in SAME:
        text = re.sub(pattern, word, text, flags=re.M)
    return text.strip()


def service(connection, request):
    connection.read_body(request)
    what, number = request.target.split("/")[2:]
    connection.reply(200, f"{what[:-1]} {number}: {'gone' if request.method == 'DELETE' else 'shipped'}\n")


class Session:
    """The machine of the page, under other names: its paths are ours, and come back as its own."""

    def __init__(self):
        self.etc = ws.directory("etc")
        self.followers = {}
        self.origin = Origin(PUBLIC, 443, ws.leaf("orders.example"), answer=service)
        os.makedirs(self.etc + "/conf.d")
        with open(self.etc + "/conf.d/hosts.conf", "w", encoding="ascii") as out:
            out.write(hosts(orders_example=PUBLIC) + "\n")
        os.symlink(ws.ca.file, self.etc + "/services.pem")
        self.h = Holdfast(ws, self.config, name="run", config_name="etc/holdfast.conf")

    def config(self, h):
        text = block("conf").replace('user      = "holdfast"', f'user      = "{PROXY_UID}"')
        text = text.replace("uid = 1000", f"uid = {WORKLOAD_UID}").replace("127.0.0.1:15001", "127.0.0.1:0")
        assert str(PROXY_UID) in text and str(WORKLOAD_UID) in text
        return text.replace("/var/lib/holdfast", h.run + "/lib").replace("/run/holdfast", h.run).replace("/etc/holdfast", self.etc)

    def shell(self, command):
        """holdfast is ours, with its config where it stands; curl is the workload's, in the environment that env
        printed before it began."""
        ours = command.replace("/etc/holdfast", self.etc).replace("/run/holdfast", self.h.run)
        conf = self.h.config_path
        script = (f'holdfast() {{ {BINARY} "$1" -c {conf} "${{@:2}}"; }}\n'
                  f'curl() {{ test -e {ws.path}/environment || holdfast env --format docker > {ws.path}/environment\n'
                  f'  setpriv --reuid={WORKLOAD_UID} --regid={WORKLOAD_UID} --clear-groups '
                  f'env -i PATH="$PATH" $(cat {ws.path}/environment) curl -sS "$@"; }}\n')
        return subprocess.Popen(["bash", "-c", script + ours], cwd=ws.directory("cwd"), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})

    def run(self, command):
        """What the command prints."""
        if command.endswith("&"):
            mark = self.h.index()
            # What goes into a file there goes into a pipe here: its lines can be waited for.
            follower, name = command[:-1].split(" > ")
            self.followers[name.strip()] = self.shell(follower).stdout
            self.h.wait_line(lambda li: li.get("msg") == "control" and li.get("verb") == "tail", since=mark)
            return ""
        if command.startswith("cat "):
            out = self.followers[command.split()[1]].readline()
        else:
            out, _ = self.shell(command).communicate(timeout=300)
        return out.replace(self.etc, "/etc/holdfast").replace(self.h.run + "/lib", "/var/lib/holdfast").replace(self.h.run, "/run/holdfast")


@promise
def the_session_prints_what_the_page_says():
    s = Session()
    told = steps(block("console"))
    assert len(told) > 10 and {"status", "reload", "tail", "explain", "drain", "check", "task", "exec"} <= {c.split()[1] for c, _ in told}
    for command, expected in told:
        printed = s.run(command)
        assert normal(printed) == normal(expected), f"$ {command}\n{normal(printed)}\n--- the page has:\n{normal(expected)}"
    assert s.h.wait_exit() == 0
    s.h.assert_clean()


main(ws.remove)
