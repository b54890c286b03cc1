"""Starting: what is wrong is told and nothing is served; what is served is served without privileges."""

import os
import re
import signal
import stat
import subprocess

from holdfast import (ADDRESSES, BINARY, OTHER_UID, PROXY_UID, WORKLOAD_UID, Holdfast, Sidecar, Trap, Workspace,
                      forward_config, gate_config, main, own_network, promise, rows, run_as)

own_network(ADDRESSES)
ws = Workspace()
RULE = f'{{ host = "allowed.test"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}"; }}'
GOOD = forward_config(RULE)
numbers = iter(range(1000))


def refused(config, code, *words):
    """It does not start: this exit code, and these words in what it says."""
    h = Holdfast(ws, config, name=f"refused-{next(numbers)}", wait=False)
    got = h.wait_exit(30)
    h.assert_clean()
    text = "\n".join(h.text)
    assert got == code, (got, text)
    assert '"msg":"ready"' not in text.replace(" ", "")
    for word in words:
        assert re.search(word, text), (word, text)
    return text


def changed(old, new):
    def config(h):
        text = GOOD(h)
        assert old in text, old
        return text.replace(old, new)
    return config


BAD = [
    ("empty", lambda h: "", "doors"),
    ("syntax", changed("doors = (", "doors = ("  "("), r"\.conf:\d+"),
    ("unknown-key", changed("methods =", "methdos ="), "did you mean.*methods"),
    ("later-feature", changed('kind = "forward"', 'kind = "socks"'), "not built yet"),
    ("no-owner", changed('owner = "tests@example";', ""), "owner"),
    ("no-methods", changed('methods = "any";', ""), "methods"),
    ("trailing-zero-port", changed("127.0.0.1:0", "127.0.0.1:99999"), "listen"),
    ("name-for-an-address", changed("127.0.0.1:0", "localhost:1"), "listen"),
    ("unknown-credential", changed("upstream_trust", 'credential = "nobodys"; bind = ["wimse"]; inject = "always"; upstream_trust'),
     "nobodys"),
    ("bind-unknown", changed("upstream_trust", 'credential = "orders"; bind = ["hope"]; inject = "always"; upstream_trust'), "bind"),
    ("credential-in-the-clear", changed("upstream_trust", 'scheme = "http"; credential = "orders"; bind = ["wimse"]; inject = "always"; '
                                                          "upstream_trust"), "http"),
    ("identifier-elsewhere", changed("spiffe://prod.example/", "spiffe://other.example/"), "workload.id"),
    ("bad-cidr", changed("upstream_trust", 'addresses = ["10.0.0.1/8"]; upstream_trust'), "addresses"),
    ("trust-file-gone", changed("services-ca.pem", "nowhere.pem"), "nowhere.pem"),
]


@rows(BAD)
def a_bad_config_does_not_start(row):
    refused(row[1], 78, row[2])


@promise
def all_errors_are_told_at_once():
    text = refused(lambda h: GOOD(h).replace("methods =", "methdos =").replace('ttl = "15m"', 'ttl = "x"')
                   .replace('purposes = ["testing"];', ""), 78)
    for word in ("methdos", "ttl", "purposes"):
        assert word in text, (word, text)
    assert len(re.findall(r"\.conf:\d+: ", text)) >= 3, text


@promise
def a_missing_config_file_is_a_bad_config():
    done = subprocess.run([BINARY, "run", "-c", "/nonexistent/holdfast.conf"], capture_output=True, timeout=30)
    assert done.returncode == 78 and b"/nonexistent/holdfast.conf" in done.stderr, done


@promise
def a_word_too_many_is_a_usage_error():
    for words in ([], ["dance"], ["run", "too", "many"], ["run", "-c"], ["run", "--frobnicate", "-c", "x"], ["explain", "-c", "x", "GET"]):
        done = subprocess.run([BINARY, *words], capture_output=True, timeout=30)
        assert done.returncode == 2 and done.stderr, (words, done)


@promise
def it_refuses_to_run_as_the_workload():
    refused(changed(f"uid = {WORKLOAD_UID}; }};\nuser", f"uid = {PROXY_UID}; }};\nuser"), 78, "equal_uid")


@promise
def it_refuses_to_stay_root():
    for change in ("", 'user = "0";'):
        text = refused(changed(f'user = "{PROXY_UID}";', change), 1, "stays_root")
        assert "set `user` to whom it shall become" in text.splitlines()[-1], text
    refused(changed(f'user = "{PROXY_UID}";', 'user = "no-such-user-here";'), 78, "no-such-user-here")


@promise
def a_taken_port_is_75():
    Trap("127.0.0.1", 15002)
    text = refused(changed("127.0.0.1:0", "127.0.0.1:15002"), 75, "cannot_bind")
    assert re.search(r"\.conf:\d+: doors\[0\]: cannot listen on 127\.0\.0\.1 port 15002: ", text), text


def gate(change=lambda leaf: None):
    leaf = ws.leaf("orders.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    jwks = ws.file("keys.json", '{"keys":[]}')
    change(leaf)
    return gate_config(leaf, "http://127.0.0.1:1", jwks)


@promise
def a_key_that_cannot_be_read_does_not_start():
    refused(gate(lambda leaf: os.unlink(leaf.key)), 78, "file_unreadable|cannot be|No such file")


@promise
def a_key_that_others_can_read_does_not_start():
    refused(gate(lambda leaf: os.chmod(leaf.key, 0o644)), 78, "file_unsafe")
    refused(gate(lambda leaf: os.chown(leaf.key, OTHER_UID, OTHER_UID)), 78, "file_unsafe|file_unreadable")


@promise
def a_key_behind_a_link_does_not_start():
    def link(leaf):
        os.rename(leaf.key, leaf.key + ".real")
        os.symlink(leaf.key + ".real", leaf.key)
    refused(gate(link), 78, "file_unsafe|file_unreadable")


@promise
def a_key_of_another_certificate_does_not_start():
    other = ws.leaf("other.test")
    os.chown(other.key, PROXY_UID, PROXY_UID)
    refused(gate(lambda leaf: os.rename(other.key, leaf.key)), 78)


@promise
def a_good_gate_config_starts():
    h = Holdfast(ws, gate(), name="gate")
    h.stop()


@promise
def it_serves_without_privileges_and_without_a_memory_others_can_look_at():
    h = Holdfast(ws, GOOD, name="unprivileged")
    uid = str(PROXY_UID)
    assert h.status("Uid").split() == [uid] * 4 and h.status("Gid").split() == [uid] * 4
    assert h.status("Groups").split() in ([], [uid])
    for set_ in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(h.status(set_), 16) == 0, set_
    assert h.status("NoNewPrivs") == "1"
    assert os.stat(f"/proc/{h.pid}/mem").st_uid == 0, "it may be dumped"
    with open(f"/proc/{h.pid}/limits", encoding="ascii") as f:
        core = next(line for line in f if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core
    for uid in (WORKLOAD_UID, PROXY_UID, OTHER_UID):
        for file in ("environ", "maps", "mem"):
            done = run_as(uid, ["head", "-c", "1", f"/proc/{h.pid}/{file}"])
            assert done.returncode != 0 and not done.stdout, (uid, file)
    h.stop()


@promise
def its_keys_are_its_own():
    h = Holdfast(ws, GOOD, name="keys")
    found = []
    for folder, _, files in os.walk(h.run):
        for name in files:
            info = os.stat(os.path.join(folder, name))
            with open(os.path.join(folder, name), "rb") as f:
                secret = b"PRIVATE KEY" in f.read()
            assert stat.S_IMODE(info.st_mode) == (0o600 if secret else 0o644) or folder != h.publish and not info.st_mode & 0o077
            if secret:
                found.append(name)
                assert not info.st_mode & 0o077, name
                assert run_as(WORKLOAD_UID, ["cat", os.path.join(folder, name)]).returncode != 0
    assert sorted(found) == ["authority.key", "ca.key", "key.pem"], found        # the last is the ledger's
    h.stop()


@promise
def a_restart_keeps_the_ca_and_the_authority():
    h = Holdfast(ws, GOOD, name="again")
    kept = [open(p, "rb").read() for p in (h.ca, h.jwks)]
    h.stop()
    h = Holdfast(ws, GOOD, name="again")
    assert [open(p, "rb").read() for p in (h.ca, h.jwks)] == kept
    h.stop()


@promise
def a_damaged_ca_key_is_told_and_not_replaced():
    h = Holdfast(ws, GOOD, name="damaged")
    h.stop()
    (key,) = [os.path.join(f, n) for f, _, names in os.walk(os.path.join(h.run, "ca")) for n in names if n.endswith(".key")]
    with open(key, "r+b") as f:
        f.write(b"not a key any more")
    h = Holdfast(ws, GOOD, name="damaged", wait=False)
    assert h.wait_exit() not in (0, -signal.SIGSEGV, -signal.SIGABRT)
    h.assert_clean()
    assert open(key, "rb").read().startswith(b"not a key any more")


@promise
def a_caller_of_another_uid_gets_nothing():
    s = Sidecar()
    mark = s.h.mark()
    for uid in (OTHER_UID, 0):
        answer = s.h.get(uid=uid)
        assert (answer.status, answer.reason) == (403, "caller_not_allowed"), answer.line
    assert [li["who"] for li in s.h.wait_requests(2, mark)] == [f"uid:{OTHER_UID}", "uid:0"]
    assert s.h.get().status == 200
    assert len(s.origin.requests) == 1
    s.end()


main(ws.remove)
