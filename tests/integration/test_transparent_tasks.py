"""Whose task it is, where nobody can say it with a password: at a transparent door the caller tells, and of several tasks of one
caller the handle in the request."""

import base64
import os

os.environ["HOLDFAST_TEST_DOOR"] = "transparent"    # before anybody asks for it

from client import bearer  # noqa: E402
from holdfast import ADDRESSES, OTHER_UID, Workspace, main, own_network, promise  # noqa: E402
from task_scene import SECRET, Scene  # noqa: E402

own_network(ADDRESSES)
s = Scene(Workspace())


def get(path="/run/x", fields=(), **more):
    with s.h.tls(**more) as c:
        return c.request("GET", path, "allowed.test", fields)


def password_of(task):
    return [("Proxy-Authorization", "Basic " + base64.b64encode(f"{task['id']}:{task['password']}".encode()).decode())]


def end_all():
    for task in s.live():
        assert s.ask("task_end", id=task)["ok"]


@promise
def without_a_task_it_is_refused_and_with_one_the_caller_is_enough():
    assert get().reason == "task_required"
    task = s.begin()
    mark = s.h.mark()
    assert get().status == 200 and s.context()["task"] == task["id"]
    assert get(uid=OTHER_UID).reason in ("caller_not_allowed", "task_required")
    assert s.h.wait_requests(2, mark)[0]["task"] == task["id"]
    end_all()


@promise
def of_several_tasks_the_handle_says_which_and_without_one_it_is_refused():
    one, two = s.begin(), s.begin(purpose="nightly")
    assert get().reason == "task_ambiguous"
    mark = s.h.mark()
    for task in (one, two):
        before = len(s.origin.requests)
        assert get("/github/x", bearer(task["handles"]["GITHUB_TOKEN"])).status == 200
        assert s.origin.requests[before].get("authorization") == f"Bearer {SECRET}"
    assert [li["task"] for li in s.h.wait_requests(2, mark)] == [one["id"], two["id"]]
    end_all()


@promise
def a_password_says_nothing_here_and_goes_no_further():
    one, two = s.begin(), s.begin()
    assert get(fields=password_of(one)).reason == "task_ambiguous"
    assert s.ask("task_end", id=two["id"])["ok"]
    assert get(fields=password_of(one)).status == 200
    assert s.origin.requests[-1].get("proxy-authorization") is None
    end_all()


@promise
def when_the_task_ends_the_connection_that_served_it_does():
    task = s.begin()
    with s.h.tls() as c:
        assert c.request("GET", "/run/x", "allowed.test").status == 200
        assert s.ask("task_end", id=task["id"])["ok"]
        assert c.is_closed()
    assert get().reason == "task_required"


main(s.h.stop)
