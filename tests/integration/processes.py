"""What /proc says about processes: who descends from whom, what they hold, what is in their memory."""

import ctypes
import os
import re
import signal
import time

PR_SET_CHILD_SUBREAPER = 36
MEMFD_SECRET = 447  # the same number on every architecture that has it


def become_subreaper():
    """Makes orphaned descendants children of this process, so that none can leave unseen."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def wait_until(condition, timeout, what):
    """Waits for condition() to be true and returns its value; fails with what after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what() if callable(what) else what}")
        time.sleep(0.01)


def parents():
    """Returns {pid: (parent, state)} of every process."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(entry)] = (int(fields[1]), fields[0])
    return found


def descendants(of, without=frozenset()):
    """Returns the pids of all living descendants, not the dead that wait to be reaped, nor the families of without."""
    table = parents()
    children = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found, ahead = [], [of]
    while ahead:
        for pid in children.get(ahead.pop(), []):
            if pid in without:
                continue
            ahead.append(pid)
            if table[pid][1] not in "ZX":
                found.append(pid)
    return sorted(found)


def reap():
    """Collects the dead children that came to this process as their subreaper."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def status(pid):
    """Returns the fields of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def name(pid):
    """Returns the process's short name, "" if it has just ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def arguments(pid):
    return read_bytes(pid, "cmdline").split(b"\0")[:-1]


def read_bytes(pid, file):
    with open(f"/proc/{pid}/{file}", "rb") as opened:
        return opened.read()


def descriptors(pid):
    """Returns {number: what it points to}."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
        except FileNotFoundError:
            continue
    return found


def tcp_listeners():
    """Returns {socket's inode} of all TCP sockets that listen in this network namespace."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            rows = [line.split() for line in lines.readlines()[1:]]
        found |= {row[9] for row in rows if row[3] == "0A"}  # TCP_LISTEN
    return found


def kill(pid, number=signal.SIGKILL):
    assert pid > 0, "0 is everybody in the test's own group, and a status says 0 of who is not there"
    os.kill(pid, number)


def cpu_seconds(pid):
    """Returns the user and system time of a process and of those of its children that it has waited for."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kernel_has_secret_memory():
    """Whether memfd_secret(2) works: before Linux 6.5 it has to be switched on at boot."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(MEMFD_SECRET, 0)
    if fd < 0:
        return False
    os.close(fd)
    return True


MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \S+\s*(.*)")


def search_memory(pid, needles, published_in=()):
    """Searches everything readable in a process's memory.

    needles: {name: bytes}. Returns {name: [address and mapping]} of what was found, and how many bytes were searched.
    What stands in a mapped file beneath one of the directories published_in, and in that file on the disk as well, does
    not count: libgcrypt, for one, carries test vectors.
    """
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        mappings = [MAPPING.match(line).groups() for line in maps]
    overlap = max(map(len, needles.values())) - 1
    found, searched = {}, 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, rights, label in mappings:
            if "r" not in rights or label in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            for address, chunk in read_mapping(memory, int(start, 16), int(end, 16), overlap):
                searched += len(chunk)
                for needle_name, needle in needles.items():
                    place = chunk.find(needle)
                    if place >= 0 and not is_published(label, needle, published_in):
                        found.setdefault(needle_name, []).append(f"{address + place:#x} in {label or 'anonymous'}")
    return found, searched


def is_published(label, needle, directories):
    if not label.startswith(tuple(directories)):
        return False
    with open(label, "rb") as file:
        return needle in file.read()


def read_mapping(memory, start, end, overlap):
    """Yields (address, bytes) over a mapping, in pieces that overlap so that nothing falls between two."""
    piece = 4 << 20
    address = start
    while address < end:
        try:
            # A seek beyond 2^63 does not happen: user space ends at 2^47.
            chunk = os.pread(memory.fileno(), min(piece, end - address), address)
        except OSError:
            chunk = b""  # a hole, or memory that even root may not read
        if not chunk:
            address += 4096
            continue
        yield address, chunk
        address += len(chunk) if len(chunk) <= overlap or address + len(chunk) >= end else len(chunk) - overlap
