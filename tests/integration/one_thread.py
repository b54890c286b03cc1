"""One thread of another process stopped by ptrace, and no other: a disk that takes nothing and says nothing. Needs root."""

import ctypes
import os

from promise import Skip

_PTRACE_DETACH, _PTRACE_SYSCALL, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 24, 0x4206, 0x4207
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
        _ptrace(_PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, _WALL)
        while not self._waits():
            _ptrace(_PTRACE_SYSCALL, self.thread)       # to where it next enters or leaves the kernel
            os.waitpid(self.thread, _WALL)
        return self

    def __exit__(self, *_):
        _ptrace(_PTRACE_DETACH, self.thread)
