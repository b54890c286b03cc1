"""Volumes as the kubelet fills them: a folder of each state, a link `..data` that is swapped, and links through it."""

import itertools
import os
import shutil


class Volume:
    def __init__(self, path):
        self.path = path
        self.numbers = itertools.count()

    def put(self, files, mode=0o644, owner=0):
        """These and no others, all at once."""
        name = f"..2026_11_22_{next(self.numbers)}"
        os.mkdir(os.path.join(self.path, name), 0o755)
        for file, content in files.items():
            with open(os.path.join(self.path, name, file), "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
                os.fchmod(f.fileno(), mode)
                os.fchown(f.fileno(), owner, owner)
        data = os.path.join(self.path, "..data")
        before = os.readlink(data) if os.path.islink(data) else None
        os.symlink(name, data + "_tmp")
        os.rename(data + "_tmp", data)
        self._link(files)
        if before is not None:
            shutil.rmtree(os.path.join(self.path, before))

    def _link(self, files):
        """After the swap, as the kubelet does it: new names are shown, old ones taken away."""
        for file in files:
            if not os.path.islink(os.path.join(self.path, file)):
                os.symlink(os.path.join("..data", file), os.path.join(self.path, file))
        for file in os.listdir(self.path):
            if not file.startswith("..") and file not in files:
                os.remove(os.path.join(self.path, file))
