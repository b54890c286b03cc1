"""One thread of another process stopped by ptrace, and no other: a disk that takes nothing and says nothing. Needs root."""

import ctypes
import os
import time

from promise import Skip

_PTRACE_CONT, _PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 7, 17, 0x4206, 0x4207
_WALL = 0x40000000
_FUTEX = {"x86_64": 202, "aarch64": 98}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Stopped:
    """While this is entered, the thread called `name` of the process stands still. It is stopped where it waits for work, so
    it holds nothing that others need. Entered and left by one thread of ours: ptrace is between two threads."""

    def __init__(self, pid, name):
        self.pid, self.thread = pid, self._find(pid, name)

    @staticmethod
    def _find(pid, name):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as f:
                if f.read().strip() == name:
                    return int(thread)
        raise AssertionError(f"no thread is called {name}")

    def _waits(self):
        with open(f"/proc/{self.pid}/task/{self.thread}/syscall", encoding="ascii") as f:
            return f.read().split()[0] == str(_FUTEX[os.uname().machine])

    def __enter__(self):
        try:
            _ptrace(_PTRACE_SEIZE, self.thread)
        except OSError as e:
            raise Skip(f"a thread cannot be traced here: {e}") from e
        while True:
            _ptrace(_PTRACE_INTERRUPT, self.thread)
            os.waitpid(self.thread, _WALL)
            if self._waits():
                return self
            _ptrace(_PTRACE_CONT, self.thread)
            time.sleep(0.001)       # not waiting for anything: another moment is tried

    def __exit__(self, *_):
        _ptrace(_PTRACE_DETACH, self.thread)
