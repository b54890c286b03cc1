"""What stands in the memory of another process."""


def mapped(pid, mode="r"):
    """The bytes of each mapping that allows this much; what is larger than 1 GiB is a sanitizer's own."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            if not line.split()[1].startswith(mode) or end - begin > 1 << 30:
                continue
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, ValueError):       # the kernel's own pages
                continue
