"""browser-shim exec: programs of others, with the PKCS#11 module and a handle that ends with them."""

import array
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import processes
from keyward import COMMAND_S, ROOT, SharedSystemCase, for_each_user

S_CLIENT = ('exec openssl s_client -quiet -ign_eof -verify_return_error -connect localhost:{port} -engine pkcs11 '
            '-keyform engine -key "$KEYWARD_KEY_URI" -cert "$KEYWARD_CERTIFICATE_FILE"')

# Gives its descriptor 3 away, and goes on when it is told to.
GIVES_AWAY = """
import array, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[1])
there.sendmsg([b"h"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [3]))])
there.recv(1)
"""

IGNORES = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""

WAITS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
print("ready", flush=True)
signal.pause()
"""


@for_each_user
class Exec(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.root = os.path.join(cls.base, "root")
        work = os.path.join(cls.base, "work")
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
        for words in (["init", "-q", work], ["-C", work, "commit", "-q", "--allow-empty", "-m", "first"],
                      ["clone", "-q", "--bare", work, os.path.join(cls.root, "tools.git")],
                      ["-C", os.path.join(cls.root, "tools.git"), "update-server-info"]):
            subprocess.run([*git, *words], check=True, timeout=COMMAND_S, env={"PATH": os.environ["PATH"], "HOME": cls.base})
        with open(os.path.join(cls.root, "index.html"), "w", encoding="ascii") as out:
            out.write("the page\n")
        subprocess.run(["chmod", "-R", "a+rX", cls.root], check=True)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--root", cls.root)

    def setUp(self):
        self.mark = self.system.mark()

    def words(self, *words):
        return [self.system.program("browser-shim"), "exec", "--runtime-dir", self.system.runtime, *words]

    def exec(self, *words, check=True, **options):
        options = {"stdin": subprocess.DEVNULL, "env": {**self.system.environment(), "PATH": "/usr/bin:/bin"}, **options}
        done = subprocess.run(self.system.as_user(self.words(*words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=COMMAND_S, cwd="/", check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{words} exited with {done.returncode}: {done.stdout}{done.stderr}\n{self.system.log()}")
        return done

    def start(self, *words):
        process = subprocess.Popen(self.system.as_user(self.words(*words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, cwd="/",
                                   env={**self.system.environment(), "PATH": "/usr/bin:/bin"}, start_new_session=True)
        too_long = threading.Timer(COMMAND_S, self.end, [process])  # whatever the test waits for
        too_long.start()
        self.addCleanup(process.communicate)
        self.addCleanup(self.end, process)
        self.addCleanup(too_long.cancel)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def handles(self):
        return [row for row in self.system.status()["handles"] if row["purpose"] == "browser-digest"]

    # ---- Programs that work ----

    def test_curl(self):
        answer = json.loads(self.exec("--", "curl", "-sS", self.system.url + "/api/get").stdout)
        self.assertIn("keyward-kiosk", answer["client"]["subject"])

    def test_s_client(self):
        done = self.exec("sh", "-c", f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' >$0; {S_CLIENT.format(port=self.system.port)} <$0",
                         os.path.join(self.system.directory, "request"))
        self.assertTrue(done.stdout.endswith("the page\n"), done.stdout + done.stderr)

    def test_pkcs11_tool(self):
        done = self.exec("--label", "a tool's", "--", "sh", "-c", 'exec pkcs11-tool --module "$PKCS11_MODULE_PATH" -O')
        self.assertIn("Private Key Object; EC\n  label:      a tool's", done.stdout)

    def test_git_whose_helper_signs(self):
        clone = os.path.join(self.system.directory, "clone")
        words = ("--p11-kit", "--pin", "first", "--", "git", "clone", "-q", self.system.url + "/tools.git", clone)
        if self.uid == ROOT:
            done = self.exec(*words, check=False)
            self.assertEqual(done.returncode, 100, done.stderr)
            self.assertIn("as root", done.stderr)
            return
        self.exec(*words)
        self.assertTrue(os.path.isdir(os.path.join(clone, ".git")))
        # The shim waits for git, which is the process that nobody pinned it to.
        shutil.rmtree(clone)
        self.assertNotEqual(self.exec(*(w for w in words if w not in ("--pin", "first")), check=False).returncode, 0)
        self.assertFalse(os.path.exists(clone))

    def test_ones_own_configuration_stays(self):
        if self.uid == ROOT:
            return  # p11-kit does not ask root's
        os.makedirs(os.path.join(self.system.directory, ".config", "git"), exist_ok=True)
        with open(os.path.join(self.system.directory, ".config", "git", "config"), "w", encoding="ascii") as out:
            out.write("[keyward]\n\tseen = yes\n")
        os.chmod(os.path.join(self.system.directory, ".config"), 0o755)
        self.assertEqual(self.exec("--p11-kit", "git", "config", "keyward.seen").stdout, "yes\n")

    # ---- Processes that may not ----

    def test_a_child_of_the_command_signs_nothing(self):
        done = self.exec("--", "sh", "-c", f"curl -sS {self.system.url}/; echo $?", check=False)
        self.assertNotEqual(done.stdout, "0\n")
        self.assertNotIn("the page", done.stdout)
        self.system.wait_line(r"^broker: handle refused .*'the handle is pinned to another process'", since=self.mark)

    def test_the_first_to_ask_signs_and_nobody_after_it(self):
        done = self.exec("--pin", "first", "--", "sh", "-c", f"curl -sS {self.system.url}/; curl -sS {self.system.url}/; echo $?")
        self.assertEqual(done.stdout.count("the page\n"), 1, done.stdout + done.stderr)
        self.assertNotEqual(done.stdout.splitlines()[-1], "0")

    def test_who_gets_the_descriptor_signs_nothing(self):
        path = os.path.join(self.system.directory, "gives")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o777)
            listener.listen()
            listener.settimeout(COMMAND_S)
            process = self.start("--", sys.executable, "-c", GIVES_AWAY, path)
            there, _ = listener.accept()
        with there:
            _, [(_, _, given)], _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
            [handle] = array.array("i", given)
            os.set_inheritable(handle, True)
            tool = subprocess.run(
                ["sh", "-c", f'exec pkcs11-tool --module "$0" -O 3<&{handle}', self.system.program("module.so")],
                pass_fds=[handle], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=COMMAND_S, check=False)
            os.close(handle)
            self.assertNotIn("Private Key", tool.stdout)
            self.system.wait_line(r"^broker: handle refused .*'the handle is pinned to another process'", since=self.mark)
            there.send(b"x")
        self.assertEqual(process.wait(COMMAND_S), 0)

    # ---- The end ----

    def test_the_time_is_over(self):
        process = self.start("--handle-ttl", "1s", "--", "sh", "-c", f"read go; exec curl -sS {self.system.url}/")
        self.assertIn("has ended after 1 s", process.stderr.readline())
        processes.wait_until(lambda: not self.handles(), 10, lambda: str(self.handles()))
        out, said = process.communicate("go\n", COMMAND_S)
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(out, "")
        self.assertIn("curl:", said)

    def test_nothing_is_left_when_it_returns(self):
        done = self.exec("sh", "-c", 'echo "$CURL_HOME"; ls -A "$CURL_HOME"; ln -s /etc "$CURL_HOME/link"')
        directory, *names = done.stdout.splitlines()
        self.assertEqual(sorted(names), [".curlrc", "ca.pem", "client.pem"])
        self.assertFalse(os.path.lexists(directory))
        self.assertEqual(self.handles(), [])
        self.assertTrue(os.path.isdir("/etc"))

    def test_so_many_signatures(self):
        pages = [self.system.url + "/"] * 2
        done = self.exec("--max", "1", "--", "curl", "-sS", "--http1.1", "--no-sessionid", "-H", "Connection: close", *pages,
                         check=False)
        self.assertEqual(done.stdout, "the page\n", done.stderr)
        self.assertNotEqual(done.returncode, 0)

    def test_it_ends_as_the_command_does(self):
        self.assertEqual(self.exec("sh", "-c", "exit 7", check=False).returncode, 7)
        self.assertEqual(self.exec("sh", "-c", "kill -9 $$", check=False).returncode, -signal.SIGKILL)

    def test_whoever_started_it_ignores_what_becomes_of_children(self):
        done = subprocess.run(self.system.as_user([sys.executable, "-c", IGNORES, *self.words("sh", "-c", "exit 7")]),
                              env=self.system.environment(), timeout=COMMAND_S, check=False)
        self.assertEqual(done.returncode, 7)

    def test_signals_reach_the_command(self):
        process = self.start("--", sys.executable, "-c", WAITS)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(COMMAND_S), 9)
        self.assertEqual(self.handles(), [])

    def test_wrong_usage(self):
        for words in ((), ("--",), ("--handle-ttl", "2h", "true"), ("--handle-ttl", "0", "true"), ("--pin", "all", "true"),
                      ("--max", "0", "true"), ("--label", "", "true"), ("--frobnicate", "true"), ("/no/such/program",)):
            with self.subTest(words):
                done = self.exec(*words, check=False)
                self.assertEqual(done.returncode, 100, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(self.handles(), [])
        self.assertIn("--handle-ttl", self.exec("--help").stdout)

    def test_a_descriptor_in_the_way_is_not_taken(self):
        done = subprocess.run(self.system.as_user(["sh", "-c", 'exec "$@" 3</dev/null', "sh", *self.words("true")]),
                              stderr=subprocess.PIPE, text=True, env=self.system.environment(), timeout=COMMAND_S, check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertIn("descriptor 3 is in use", done.stderr)
