"""`holdfast exec`: a command that is a task's life. It gets the environment, the signals and the terminal of whoever runs it; its
task ends with it, and with whoever runs it."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess

from holdfast import (ADDRESSES, BINARY, OTHER_UID, PROXY_UID, ROOT, Skip, WORKLOAD_UID, Workspace, main, own_network, promise, rows)
from patience import until
from task_scene import SECRET, Scene

own_network(ADDRESSES)
ws = Workspace()
s = Scene(ws)
ours = ws.directory("commands", owner=WORKLOAD_UID)
URL = "https://allowed.test/run/x"
CONNECT = f"curl -s -o /dev/null -w '%{{http_connect}} ' {URL}"      # what the door says of its credential
NODE = shutil.which("node")
with open(os.path.join(ROOT, "tests/integration/through.mjs"), "rb") as script:
    THROUGH = ws.file("through.mjs", script.read())


def words(*command, grant="nightly", purpose="testing", options=()):
    return [BINARY, "exec", "-c", s.h.config_path, "--grant", grant, "--purpose", purpose, *options, "--", *command]


def begin(*command, before=(), env=None, **more):
    """A running exec; its output is piped."""
    options = {k: more.pop(k) for k in ("grant", "purpose", "options") if k in more}
    told = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": "/", **more}
    # In a group of its own, beside ours: what the kernel calls an orphaned group cannot be stopped.
    return subprocess.Popen([*before, *words(*command, **options)], env={**os.environ, "LC_ALL": "C", **(env or {})},
                            process_group=0, **told)


def run(*command, **more):
    """One that has ended, its output read."""
    p = begin(*command, **more)
    out, err = p.communicate(timeout=300)
    assert "Sanitizer" not in err and "runtime error" not in err, err
    done = subprocess.CompletedProcess(p.args, p.returncode, out, err)
    done.pid = p.pid
    return done


def sh(script, **more):
    return run("sh", "-c", script, **more)


def ready(p):
    """The first line that the command prints: its signal handlers are set by then."""
    line = p.stdout.readline()
    assert line.startswith("ready"), (line, p.stderr.read() if p.poll() is not None else None)
    return line


def task_of(p, since):
    """Which task this exec has started."""
    return s.h.wait_line(lambda li: li.get("msg") == "control" and li["verb"] == "task_start" and li["pid"] == p.pid, since,
                         what="the start of its task")["task"]


def over(p):
    code = p.wait(300)
    p.stdout.close()
    p.stderr.close()
    return code


def descendants_gone(pid):
    until(lambda: not os.path.exists(f"/proc/{pid}") or state(pid) == "Z", "the command's end")


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0]


# ---- what the command is given

CLIENTS = [
    ("curl", ["curl", "-sS", "--fail", URL]),
    ("python", ["/usr/bin/python3", "-B", "-c", f"import urllib.request as u; print(u.urlopen('{URL}').status)"]),
    ("requests", ["/usr/bin/python3", "-B", "-c", f"import requests; r = requests.get('{URL}'); r.raise_for_status()"]),
    ("git", ["git", "ls-remote", "https://allowed.test/run/x.git"]),
    ("node", ["sh", "-c", f'{NODE} {THROUGH} "$HTTPS_PROXY" {URL} GET']),
]


@rows(CLIENTS)
def a_client_works_through_its_task_whichever_others_live(client):
    """Another task of the same caller: the credential in the proxy's URL is what tells them apart."""
    name, command = client
    if shutil.which(command[0]) is None or (name == "node" and NODE is None):
        raise Skip(f"there is no {name}")
    other = s.begin()
    since, seen = s.h.index(), len(s.origin.requests)
    done = run(*command)
    assert s.ask("task_end", id=other["id"])["ok"]
    assert done.returncode == 0, (done, s.h.tail())
    task = task_of(done, since)
    assert s.ended(task, since)["allowed"] >= 1
    for i in range(seen, len(s.origin.requests)):
        assert s.context(i)["task"] == task and s.context(i)["purpose"] == "testing"
        assert s.origin.requests[i].get("proxy-authorization") is None


@promise
def a_handle_in_its_environment_is_worth_the_secret_while_it_runs():
    done = sh('echo "$GITHUB_TOKEN"; curl -sS --fail -H "Authorization: Bearer $GITHUB_TOKEN" https://allowed.test/github/x',
              env={"GITHUB_TOKEN": "the real one"})
    assert done.returncode == 0 and re.match(r"ghp_\w{36}\n", done.stdout), done
    assert SECRET not in done.stdout.partition("\n")[0]
    assert s.origin.requests[-1].get("authorization") == f"Bearer {SECRET}"
    assert s.get("/run/x").reason == "task_required", "its task has ended with it"


@promise
def it_is_the_workload_with_its_groups_and_no_descriptor_of_ours():
    with open("/dev/null", "rb") as extra:
        os.set_inheritable(extra.fileno(), True)
        done = sh("id -u; id -g; id -G; ls /proc/self/fd | wc -l; pwd; echo $HOME; umask; grep -c SigBlk:.0000000000000000 /proc/self/status",
                  close_fds=False, stdin=None)
    assert done.returncode == 0, done
    # 0, 1, 2, and ls's own for the directory
    assert done.stdout.split("\n")[:6] == [f"{WORKLOAD_UID}", f"{WORKLOAD_UID}", f"{WORKLOAD_UID}", "4", "/", "/"], done.stdout
    assert done.stdout.split("\n")[7] == "1", "the command's signals are not blocked"


@promise
def a_user_of_the_machine_has_its_groups_and_home():
    """One that has an entry; nobody's is on every Debian."""
    done = sh("id -u", options=["--user", "nobody"])
    assert done.returncode == 69 and s.live() == [], "nobody is not the grant's caller"
    done = sh("id -u; echo $USER", options=["--user", str(WORKLOAD_UID)])
    assert done.returncode == 0 and done.stdout.split() == [str(WORKLOAD_UID)] * 2, done
    done = sh("id -u", grant="others", options=["--uid", str(OTHER_UID)])
    assert done.returncode == 0 and done.stdout == f"{OTHER_UID}\n", done


@promise
def its_environment_is_ours_but_for_what_holdfast_says():
    done = sh("echo $KEPT; echo ${ALL_PROXY-none}; echo $HTTPS_PROXY; echo $CURL_CA_BUNDLE",
              env={"KEPT": "kept", "ALL_PROXY": "http://elsewhere", "HTTPS_PROXY": "http://elsewhere"})
    kept, none, proxy, bundle = done.stdout.split()
    assert (kept, none, bundle) == ("kept", "none", s.h.bundle), done
    assert re.fullmatch(r"http://t-[\w-]{22}:[\w-]{22}@127\.0\.0\.1:%d" % s.h.door()[1], proxy), proxy


@promise
def what_it_is_given_is_on_no_command_line():
    p = begin("sh", "-c", "echo ready; read line", stdin=subprocess.PIPE)
    ready(p)
    task = s.live()[0]
    told = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert task not in told and "holdfast exec" in told.replace(BINARY, "holdfast"), told
    p.stdin.close()
    assert over(p) == 1


@promise
def its_terms_are_the_tasks():
    p = begin("sh", "-c", "echo ready; read line", stdin=subprocess.PIPE, purpose="nightly",
              options=["--ttl", "7m", "--max-requests", "5"])
    ready(p)
    shown = s.ask("task_show", id=s.live()[0])
    assert (shown["purpose"], shown["max_requests"]) == ("nightly", 5) and shown["left_ms"] <= 420_000, shown
    p.stdin.close()
    over(p)


@promise
def two_of_one_workload_at_once_are_told_apart():
    since, seen = s.h.index(), len(s.origin.requests)
    script = "echo ready; read line; curl -sS --fail https://allowed.test/run/$0; read line"
    both = [begin("sh", "-c", script, purpose, purpose=purpose, stdin=subprocess.PIPE) for purpose in ("testing", "nightly")]
    for p in both:
        ready(p)
    assert len(s.live()) == 2
    for p in both:
        p.stdin.write("go\n")
        p.stdin.flush()
    s.origin.wait(lambda o: len(o.requests) >= seen + 2, what="both requests")
    told = [s.context(i) for i in (seen, seen + 1)]
    assert {c["task"] for c in told} == set(s.live()) and len(s.live()) == 2, told
    for i in (seen, seen + 1):
        assert s.origin.requests[i].target == "/run/" + s.context(i)["purpose"]
    for p in both:
        p.communicate("go\n", timeout=300)
    assert s.live() == [] and [s.ended(c["task"], since)["allowed"] for c in told] == [1, 1]


# ---- its end

@rows([("well", "exit 0", 0), ("seven", "exit 7", 7), ("most", "exit 255", 255), ("usage", "exit 2", 2),
       ("term", "kill -TERM $$", 143), ("kill", "kill -KILL $$", 137), ("abort", "kill -ABRT $$", 134)])
def its_exit_status_is_passed_on_and_its_task_ends(row):
    since = s.h.index()
    done = sh(row[1])
    assert done.returncode == row[2], done
    assert s.live() == [], "exec returns when every worker has obeyed"
    assert s.ended(task_of(done, since), since)["cause"] == "finished"


@rows([("nowhere", lambda: "/nonexistent/command", 127), ("not-in-path", lambda: "no-such-command-anywhere", 127),
       ("not-executable", lambda: ws.file("commands/plain", "echo no\n", mode=0o644), 126), ("directory", lambda: ws.path, 126),
       ("not-ours", lambda: ws.file("commands/roots", "#!/bin/sh\n", mode=0o700), 126)])
def what_cannot_be_run_is_told_as_a_shell_would(row):
    since = s.h.index()
    done = run(row[1]())
    assert done.returncode == row[2] and done.stderr.startswith("holdfast: ") and not done.stdout, done
    assert s.ended(task_of(done, since), since)["cause"] == "finished"


# ---- signals

TRAP = 'trap "echo got; exit 42" %s; echo ready; while :; do sleep 0.05; done'


@rows([(n, n) for n in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2")])
def a_signal_is_passed_on(row):
    p = begin("sh", "-c", TRAP % row[1])
    ready(p)
    p.send_signal(getattr(signal, "SIG" + row[1]))
    assert p.stdout.readline() == "got\n"
    assert over(p) == 42 and s.live() == []


@promise
def a_resized_window_is_no_end():
    # print() in a handler may find the one of "ready" not over yet.
    p = begin("/usr/bin/python3", "-B", "-c", "import os, signal\nsignal.signal(signal.SIGWINCH, lambda *_: os.write(1, b'resized\\n'))\n"
              "print('ready', flush=True)\nwhile True: signal.pause()")
    ready(p)
    p.send_signal(signal.SIGWINCH)
    assert p.stdout.readline() == "resized\n"
    p.terminate()
    assert over(p) == 143


@promise
def one_that_is_told_to_end_ends_the_command_and_the_task():
    since = s.h.index()
    p = begin("sh", "-c", "echo ready $$; exec sleep 1000")
    child = int(ready(p).split()[1])
    p.terminate()
    assert over(p) == 143 and not os.path.exists(f"/proc/{child}") and s.live() == []
    assert s.ended(task_of(p, since), since)["cause"] == "finished"


@promise
def it_stops_and_goes_on_with_its_command():
    p = begin("sh", "-c", "trap 'echo ended; exit 3' TERM; echo ready $$; while :; do sleep 0.05; done")
    child = int(ready(p).split()[1])
    p.send_signal(signal.SIGTSTP)
    until(lambda: state(p.pid) == "T" and state(child) == "T", "both to stop")
    assert len(s.live()) == 1
    p.send_signal(signal.SIGCONT)
    until(lambda: state(p.pid) != "T" and state(child) != "T", "both to go on")
    p.terminate()
    assert over(p) == 3


@promise
def a_command_that_stops_itself_stops_us_as_well():
    p = begin("sh", "-c", "echo ready; kill -STOP $$; exit 9")
    ready(p)
    until(lambda: state(p.pid) == "T", "exec to stop")
    p.send_signal(signal.SIGCONT)
    assert over(p) == 9


@promise
def a_terminals_interrupt_reaches_it_once_and_it_reads_from_there():
    """In the terminal's foreground group, as the shell has put us: Ctrl-C is the command's already."""
    script = ("import os, signal, sys\nn = 0\n"
              "def on(*_):\n    global n\n    n += 1\n    os.write(1, b'interrupted %d\\n' % n)\n"
              "signal.signal(signal.SIGINT, on)\nprint('ready', flush=True)\n"
              "print('read ' + sys.stdin.readline().strip(), flush=True)\nsys.exit(n)")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BINARY, words("/usr/bin/python3", "-B", "-c", script), {**os.environ, "LC_ALL": "C"})
    said = b""

    def wait_for(word):
        nonlocal said
        while word not in said:
            assert select.select([terminal], [], [], 120)[0], said
            said += os.read(terminal, 4096)
    wait_for(b"ready")
    os.write(terminal, b"\x03")
    wait_for(b"interrupted 1")
    os.write(terminal, b"hello\n")
    wait_for(b"read hello")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1, (status, said)
    assert s.live() == []


@promise
def it_types_nothing_into_the_terminal_it_is_run_on():
    """What it put there, the shell that started us would read as if it were typed."""
    script = ("import fcntl, os, struct, termios\n"
              "def put(request):\n    try:\n        fcntl.ioctl(0, request, b'x')\n        print('typed', flush=True)\n"
              "    except OSError as e:\n        print('refused', e.errno, flush=True)\n"
              "put(termios.TIOCSTI)\nput(termios.TIOCLINUX)\n"
              "if os.fork() == 0:\n    os.setsid()\n    put(termios.TIOCSTI)\n    os._exit(0)\n"
              "os.wait()\nfcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))\nprint('over', flush=True)")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BINARY, words("/usr/bin/python3", "-B", "-c", script), {**os.environ, "LC_ALL": "C"})
    said = b""
    while b"over" not in said:
        assert select.select([terminal], [], [], 120)[0], said
        said += os.read(terminal, 4096)
    os.waitpid(pid, 0)
    os.close(terminal)
    assert said.count(b"refused 1\r\n") == 3 and b"typed" not in said, said


@promise
def nothing_is_left_of_one_that_is_killed():
    """Its command goes with it; what that has left behind has no task."""
    since = s.h.index()
    p = begin("sh", "-c", "sleep 1000 & echo ready $$ $!; exec sleep 1001", stderr=subprocess.DEVNULL)
    child, orphan = map(int, ready(p).split()[1:])
    task = s.live()[0]
    p.kill()
    p.wait()
    p.stdout.close()
    assert s.ended(task, since)["cause"] == "finished"
    descendants_gone(child)
    assert state(orphan) in "SRD" and s.live() == []
    assert s.get("/run/x").reason == "task_required"
    os.kill(orphan, signal.SIGKILL)


# ---- what else may end the task

@promise
def a_task_that_expires_leaves_the_command_to_itself():
    since = s.h.index()
    done = sh(f'until test "$({CONNECT})" = "407 "; do :; done; echo refused; exit 5', options=["--ttl", "2s"])
    assert done.returncode == 5 and done.stdout == "refused\n", done
    assert s.ended(task_of(done, since), since)["cause"] == "expired"


@promise
def a_budget_that_is_spent_leaves_the_command_to_itself():
    since = s.h.index()
    done = sh(f'for i in 1 2 3; do {CONNECT}; done; exit 6', options=["--max-requests", "2"])
    assert done.returncode == 6 and done.stdout == "200 200 407 ", done
    assert s.ended(task_of(done, since), since)["cause"] == "spent"


@promise
def a_revocation_leaves_it_without_a_task():
    p = begin("sh", "-c", f"echo ready; read line; {CONNECT}; exit 4", stdin=subprocess.PIPE)
    ready(p)
    assert s.ask("task_revoke", grant="nightly")["ended"] == 1
    out, err = p.communicate("go\n", timeout=300)
    assert out == "407 " and p.returncode == 4 and not err, (out, err)


# ---- what is never run

MARK = os.path.join(ours, "was-run")


def never(code, sentence, *command, **more):
    done = run(*(command or ("touch", MARK)), **more)
    assert done.returncode == code and sentence in done.stderr and not done.stdout, done
    assert not os.path.exists(MARK)


@rows([("grant", {"grant": "nobody"}, ""), ("standing", {"grant": "standing"}, ""), ("purpose", {"purpose": "fun"}, "purpose"),
       ("ttl", {"options": ["--ttl", "2h"]}, "longer"),
       ("caller", {"options": ["--uid", str(OTHER_UID)]}, "caller"),
       ("root", {"options": ["--uid", "0"]}, "root"), ("ours", {"options": ["--uid", str(PROXY_UID)]}, "Holdfast's own"),
       ("unknown-user", {"options": ["--user", "no-such-user"]}, "no-such-user"),
       ("elsewhere", {"options": ["--socket", "/nonexistent/socket"]}, "nobody listens"),
       ("its-own-user", {"before": ["setpriv", f"--reuid={PROXY_UID}", f"--regid={PROXY_UID}", "--clear-groups"]}, "only root"),
       ("the-workload", {"before": ["setpriv", f"--reuid={WORKLOAD_UID}", f"--regid={WORKLOAD_UID}", "--clear-groups"]}, "only root")])
def without_a_task_the_command_is_not_run(row):
    never(69, row[2], **row[1])
    assert s.live() == []


@rows([("no-grant", ["exec", "--", "touch", MARK]), ("no-command", ["exec", "--grant", "nightly", "--"]),
       ("no-dashes", ["exec", "--grant", "nightly", "touch", MARK]), ("option", ["exec", "--grant", "nightly", "--json", "--", "touch", MARK]),
       ("both", ["exec", "--grant", "nightly", "--uid", "5", "--user", "nobody", "--", "touch", MARK]),
       ("ttl", ["exec", "--grant", "nightly", "--ttl", "soon", "--", "touch", MARK])])
def misuse_runs_nothing(row):
    done = subprocess.run(
        [BINARY, "exec", "-c", s.h.config_path, *row[1][1:]], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2 and "usage:" in done.stderr and not os.path.exists(MARK), done


@promise
def a_bad_config_runs_nothing():
    bad = ws.file("bad.conf", "nonsense = 1;\n")
    done = subprocess.run([BINARY, "exec", "-c", bad, "--grant", "nightly", "--", "touch", MARK], capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 78 and "nonsense" in done.stderr and not os.path.exists(MARK), done


@promise
def a_holdfast_that_stops_leaves_the_command_to_itself():
    p = begin("sh", "-c", "echo ready; read line; exit 8", stdin=subprocess.PIPE)
    ready(p)
    s.h.stop()
    out, err = p.communicate("go\n", timeout=300)
    assert p.returncode == 8 and not err, (out, err)
    never(69, "nobody listens")


main(ws.remove)
