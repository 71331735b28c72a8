"""A system that has all that clients ask for, and can be started again in the place of one that was killed."""

import os
import time

import application
import certificates
import processes
import wire
from keyward import System, SystemCase, is_root

GONE_S = 2  # from the broker's death to everybody's
LARGE = bytes(range(256)) * 4096


class CrashCase(SystemCase):
    uid = None
    workers = 2

    def setUp(self):
        self.directory = processes_directory(self.base)
        self.uploads, root = os.path.join(self.directory, "uploads"), os.path.join(self.directory, "root")
        authority = certificates.Authority(os.path.join(self.directory, "authority"), "A CA")
        self.ca, self.client = authority.certificate, authority.leaf("client")
        server = authority.leaf("server", profile="server")
        with open(server[0], "a", encoding="ascii") as chain, open(self.ca, encoding="ascii") as issuer:
            chain.write(issuer.read())
        for path in (self.uploads, root):
            os.mkdir(path)
        os.chmod(self.uploads, 0o777)
        if is_root():
            os.chown(server[1], self.uid or 0, -1)
        with open(os.path.join(root, "large.bin"), "wb") as out:
            out.write(LARGE)
        self.application = application.Application(os.path.join(self.directory, "app.sock"))
        self.addCleanup(self.application.stop)
        # The server's certificate is brought, so that it outlives a keyd.
        self.flags = ["--no-browser", "--workers", str(self.workers), "--client-ca", self.ca, "--server-certificate",
                      server[0], "--server-key", server[1], "--root", root, "--uploads", self.uploads, "--proxy",
                      f"/app=unix:{self.application.path}"]
        self.downloads = {"/large.bin": LARGE, "/app/chunked?2": 2 * application.BLOCK}

    def begin(self):
        return self.start("--listen", "127.0.0.1:0", *self.flags, uid=self.uid)

    def restart(self, system):
        """Another broker in the place of one that is gone, as a service manager would start it."""
        again = System(self.base, "--listen", f"127.0.0.1:{system.port}", *self.flags, uid=self.uid)
        again.runtime = system.runtime
        again.flags[again.flags.index("--runtime-dir") + 1] = system.runtime
        again.start()
        self.addCleanup(self._finish, again)
        return again

    def expect_gone(self, system):
        """Nothing runs, so that no namespace is left either, and nothing listens."""
        system.process.wait()
        processes.wait_until(lambda: processes.reap() or not system.pids(), GONE_S,
                             lambda: f"still running: {system.describe_left()}")
        with open("/proc/net/unix", encoding="utf-8") as table, open("/proc/self/mounts", encoding="utf-8") as mounts:
            self.assertNotIn(system.runtime, table.read() + mounts.read())
        with self.assertRaises(ConnectionRefusedError):
            wire.connect(system.port, self.ca, self.client)

    def uploaded(self, name):
        with open(os.path.join(self.uploads, name), "rb") as file:
            return file.read()

    def expect_clean(self):
        left = [name for name in os.listdir(self.uploads) if name.startswith(".")]
        self.assertEqual(left, [], "half an upload is left")


def processes_directory(base):
    """A directory of its own for a test, that every user can reach."""
    path = os.path.join(base, f"test-{time.monotonic_ns()}")
    os.mkdir(path)
    os.chmod(path, 0o755)
    return path
