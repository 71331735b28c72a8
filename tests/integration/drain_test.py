"""Stopping while clients are served: what was asked is answered."""

import subprocess
import threading

import processes
import wire
from crash import CrashCase
from keyward import COMMAND_S, STOP_S, for_each_user
from load import Load, Reader

CONNECTIONS = 8
BODY = bytes(range(256)) * 400


@for_each_user
class Drain(CrashCase):
    def stop(self, system, while_stopping):
        """Tells the broker to stop, does what is to happen meanwhile, and sees it end in order."""
        mark = system.mark()
        system.process.terminate()
        system.wait_line("^broker: stopping", since=mark)
        while_stopping()
        self.assertEqual(system.process.wait(STOP_S + COMMAND_S), 0)
        self.assertNotIn("connections cut off", system.log())
        system.expect_nothing_left(STOP_S)

    def open(self, system):
        connection = wire.connect(system.port, self.ca, self.client, ragged=True)
        self.addCleanup(connection.close)
        return connection

    def test_what_is_under_way_is_finished(self):
        system = self.begin()
        waiting = [self.open(system) for _ in range(CONNECTIONS)]
        uploading = [self.open(system) for _ in range(CONNECTIONS)]
        for connection in waiting:
            connection.sendall(b"GET /app/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        curl = subprocess.Popen(
            ["curl", "--silent", "--http2", "--cacert", self.ca, "--cert", self.client[0], "--key", self.client[1],
             "--write-out", "%{http_code} %{http_version}", "--output", "/dev/null",
             f"https://localhost:{system.port}/app/slow"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(curl.stdout.close)
        for number, connection in enumerate(uploading):
            head = f"PUT /upload/half-{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n\r\n"
            connection.sendall(head.encode() + BODY[:1000])
        processes.wait_until(lambda: len(self.application.seen) == CONNECTIONS + 1, COMMAND_S, "the requests do not come")

        def go_on():
            self.application.released.set()
            for connection in uploading:
                connection.sendall(BODY[1000:])
            for connections, status in ((waiting, 200), (uploading, 201)):
                for connection in connections:
                    reader = Reader(connection)
                    self.assertEqual((reader.answer()[0], reader.closes), (status, True))
                    connection.close()

        self.stop(system, go_on)
        self.assertEqual(curl.communicate(timeout=COMMAND_S)[0], b"200 2")
        for number in range(CONNECTIONS):
            self.assertEqual(self.uploaded(f"half-{number}"), BODY)

    def test_under_load(self):
        """Who is let in is answered."""
        system = self.begin()
        with Load(system, self.ca, self.client, self.uploads, self.downloads) as load:
            load.wait_good(5, COMMAND_S)
            self.stop(system, lambda: None)
            processes.wait_until(lambda: load.refused > 0, COMMAND_S, "nobody comes too late")
        self.assertEqual((load.cut, load.last_cut), (0, ""))
        self.assertEqual(load.wrong, [])
        load.check_files()
        self.assertEqual(load.wrong, [])
        self.expect_clean()
