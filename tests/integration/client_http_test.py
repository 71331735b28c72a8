"""browser-shim's requests, seen from the server: methods, fields, bodies, JSON, the progress bar, exit codes."""

import json
import os
import pty
import subprocess

import certificates
from foreign_server import https_server
from keyward import COMMAND_S, SharedSystemCase, for_each_user


@for_each_user
class Requests(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, f"authority-{cls.uid}"), "Somebody's CA")
        cls.leaf = cls.authority.leaf("page", profile="server")

    def server(self, **options):
        return https_server(*self.leaf, self.system.ca_file(), **options)

    def words(self, command, *words):
        return self.system.as_user([self.system.program("browser-shim"), command, "--cacert", self.authority.certificate,
                                    "--runtime-dir", self.system.runtime, *words])

    def shim(self, command, *words, check=True, data=None):
        done = subprocess.run(self.words(command, *words), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=self.system.environment(), timeout=COMMAND_S, cwd="/", check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{command} {words} exited with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def file(self, name, content):
        path = os.path.join(self.system.directory, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(content)
        os.chmod(path, 0o644)
        return path

    @staticmethod
    def fields(told, name):
        return [value for key, value in told["headers"] if key.lower() == name]

    def test_post(self):
        path, empty = self.file("body", "from a file"), self.file("empty", "")
        # What is given, what arrives, how its length is told, and as what.
        rows = [(["-d", "a=b&c=d"], None, "a=b&c=d", "7", "application/x-www-form-urlencoded"),
                (["-d", f"@{path}"], None, "from a file", "11", "application/octet-stream"),
                (["-d", f"@{empty}"], None, "", "0", "application/octet-stream"),
                (["-d", "-"], "from a pipe " * 5000, "from a pipe " * 5000, None, "application/octet-stream"),
                (["-d", "-"], "", "", None, "application/octet-stream"),
                ([], None, "", "0", "application/x-www-form-urlencoded"),
                (["-H", "content-type: application/json", "-d", "{}"], None, "{}", "2", "application/json")]
        with self.server() as server:
            for words, data, body, length, kind in rows:
                with self.subTest(words):
                    told = json.loads(self.shim("post", *words, f"https://localhost:{server.server_port}/x", data=data).stdout)
                    self.assertEqual((told["method"], told["path"], told["body"]), ("POST", "/x", body))
                    self.assertEqual(self.fields(told, "content-length"), [length] if length else [])
                    self.assertEqual(self.fields(told, "content-type"), [kind])

    def test_put_of_what_has_no_length(self):
        with self.server() as server:
            url = f"https://localhost:{server.server_port}/y"
            told = json.loads(self.shim("put", "-", url, data="through a pipe").stdout)
        self.assertEqual((told["method"], told["body"]), ("PUT", "through a pipe"))

    def test_fields(self):
        with self.server() as server:
            told = json.loads(self.shim("get", "-H", "Accept: text/plain", "-H", "X-One: 1", "-H", "X-One: 2",
                                        f"https://localhost:{server.server_port}/").stdout)
        self.assertEqual(self.fields(told, "accept"), ["text/plain"])
        self.assertEqual(self.fields(told, "x-one"), ["1", "2"])
        self.assertEqual(self.fields(told, "user-agent"), ["keyward-browser-shim"])

    def test_json(self):
        kept = os.path.join(self.system.directory, "kept")
        with self.server() as server:
            url = f"https://localhost:{server.server_port}"
            answer = json.loads(self.shim("post", "--json", "-d", "abc", "-o", kept, url + "/").stdout)
            missing = self.shim("get", "--json", url + "/missing", check=False)
        self.assertEqual((answer["ok"], answer["status"], answer["reason"], answer["sent"], answer["output"], answer["error"]),
                         (True, 200, "OK", 3, kept, None))
        self.assertEqual(answer["received"], os.stat(kept).st_size)
        self.assertEqual((answer["version"], answer["server"]["subject"]), ("TLSv1.3", "CN=test page"))
        self.assertEqual(missing.returncode, 1)
        answer = json.loads(missing.stdout)
        self.assertEqual((answer["ok"], answer["status"], answer["output"]), (False, 404, None))
        self.assertIn(answer["error"], missing.stderr)

    def test_json_of_a_failure(self):
        """In the handshake, before there is a connection, and before there is anything."""
        with https_server(*self.authority.leaf("elsewhere", profile="elsewhere"), self.system.ca_file()) as server:
            handshake = (111, (), f"https://localhost:{server.server_port}/", "is not for 'localhost'")
            name = (100, (), "https://no-such-host.invalid/", "check the name")
            file = (100, ("-o", "/no/such/directory/file"), f"https://localhost:{server.server_port}/", "/no/such/directory")
            for code, words, url, says in (handshake, name, file):
                with self.subTest(says):
                    done = self.shim("get", "--json", *words, url, check=False)
                    self.assertEqual(done.returncode, code, done.stderr)
                    answer = json.loads(done.stdout)
                    self.assertEqual((answer["ok"], answer["status"], answer["output"]), (False, 0, None))
                    self.assertIn(says, answer["error"])

    def test_a_clock_that_is_off(self):
        for ahead_s, says in ((3600, "ahead of"), (-3600, "behind")):
            with self.subTest(ahead_s), self.server(ahead_s=ahead_s) as server:
                done = self.shim("get", f"https://localhost:{server.server_port}/")
                self.assertRegex(done.stderr, rf"^browser-shim: the server's clock is 3[56]\d\d s {says} this machine's; set the one")
        with self.server() as server:
            self.assertEqual(self.shim("get", f"https://localhost:{server.server_port}/").stderr, "")

    def on_terminal(self, server, *words):
        """What a terminal shows of a slow transfer, until it is over, which it is once something is shown."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.words("get", *words), stdin=subprocess.DEVNULL, stdout=theirs if not words[1:] else
                                   subprocess.DEVNULL, stderr=theirs, env=self.system.environment(), cwd="/")
        os.close(theirs)
        seen = b""
        try:
            while True:
                piece = os.read(ours, 4096)
                seen += piece
                if b"%" in seen:
                    server.slow_is_over.set()
        except OSError:
            pass  # nobody has the other end any more
        finally:
            os.close(ours)
        self.assertEqual(process.wait(COMMAND_S), 0, seen)
        return seen.decode()

    def test_a_terminal_sees_how_far_it_is(self):
        with self.server() as server:
            seen = self.on_terminal(server, f"https://localhost:{server.server_port}/slow", "-o", "/dev/null")
        self.assertRegex(seen, r"\r\[[#.]{10}\]  +\d+%  [0-9.]+ KiB of 2\.0 MiB received, [0-9.]+ \w+/s")
        self.assertTrue(seen.endswith("\r\x1b[K"), "the line is taken away")

    def test_nobody_else_does(self):
        """A short transfer on a terminal, and any in a pipe."""
        with self.server() as server:
            server.slow_is_over.set()
            seen = self.on_terminal(server, f"https://localhost:{server.server_port}/slow", "-o", "/dev/null")
            self.assertEqual(seen, "")
            self.assertEqual(self.shim("get", f"https://localhost:{server.server_port}/slow", "-o", "/dev/null").stderr, "")
