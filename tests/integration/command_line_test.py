"""What the broker says to a person who got something wrong: one line, what to do, exit code 100."""

import os
import socket
import subprocess

import certificates
from keyward import COMMAND_S, SystemCase, System


class CommandLine(SystemCase):
    def setUp(self):
        self.system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser")

    def expect_input_error(self, *arguments, says):
        """The broker exits with 100 and one line that contains each of says."""
        done = self.system.run("broker", *arguments, "--runtime-dir", self.system.runtime, check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("broker: "), done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.system.runtime, "control")))

    def write(self, name, content):
        path = os.path.join(self.base, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(content)
        return path

    def test_unknown_flag(self):
        self.expect_input_error("run", "--frobnicate", says=["--frobnicate", "--help"])

    def test_unknown_subcommand(self):
        self.expect_input_error("dance", says=["dance"])

    def test_a_flag_without_its_value(self):
        done = self.system.run("broker", "run", "--listen", check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("--listen", done.stderr)

    def test_bad_addresses(self):
        for address in ("nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1", "300.0.0.1:9000",
                        "127.0.0.1:90x0", "", "[::1:9000"):
            with self.subTest(address):
                self.expect_input_error("check", "--listen", address, says=["--listen"])

    def test_bad_numbers(self):
        for workers in ("0", "-1", "many", "1000000", "1 "):
            with self.subTest(workers):
                self.expect_input_error("check", "--workers", workers, says=["--workers"])

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.expect_input_error("run", "--no-browser", "--listen", address, says=[address, "in use"])
            self.expect_input_error("run", "--no-browser", "--listen", "127.0.0.1:0", "--echo", address,
                                    says=[address, "in use"])

    def test_files_that_cannot_be_read(self):
        missing = os.path.join(self.base, "missing")
        for flag in ("--client-ca", "--root", "--uploads", "--config"):
            with self.subTest(flag):
                self.expect_input_error("check", "--no-browser", flag, missing, says=[flag, missing, "No such file"])

    def test_a_client_ca_that_is_none(self):
        junk = self.write("junk.pem", "this is no certificate\n")
        self.expect_input_error("run", "--listen", "127.0.0.1:0", "--no-browser", "--client-ca", junk, says=["client"])

    def test_bad_configuration_lines(self):
        for number, (content, says) in enumerate((
                ("[listen]\nadress = 127.0.0.1:9000\n", [":2:", "adress"]),
                ("[nothing]\nkey = value\n", [":2:", "nothing"]),
                ("[web]\n\nworkers = many\n", [":3:", "workers"]),
                ("[web]\nthis is no line\n", [":2:"]),
                ("[web]\nworkers = 1\nworkers = 2\n", [":3:", "twice"]))):
            with self.subTest(content):
                path = self.write(f"bad-{number}.ini", content)
                self.expect_input_error("check", "--config", path, says=[path, *says])

    def test_a_second_broker_in_the_same_place(self):
        self.start_here()
        self.expect_input_error_beside_running()

    def start_here(self):
        self.system.start()
        self.addCleanup(self._finish, self.system)

    def expect_input_error_beside_running(self):
        done = self.system.run("broker", *self.system.flags, check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(self.system.runtime, done.stderr)
        self.assertEqual(self.system.status()["url"], self.system.url)

    def test_asking_where_no_broker_runs(self):
        for words in (("status",), ("ca",), ("handle", "list"), ("handle", "revoke", "1")):
            with self.subTest(words):
                self.expect_input_error(*words, says=[self.system.runtime])

    def test_check_starts_nothing(self):
        config = self.write("good.ini", "[listen]\naddress = 127.0.0.1:0\n[web]\nworkers = 2\n")
        done = self.system.run("broker", "check", "--no-browser", "--config", config, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.system.pids(), [])

    def test_flags_win_over_the_file(self):
        config = self.write("listen.ini", "[listen]\naddress = 192.0.2.1:1\n[web]\nworkers = 1\n")
        system = self.start("--config", config, "--listen", "127.0.0.1:0", "--no-browser")
        self.assertTrue(system.url.startswith("https://localhost:"))
        self.assertEqual(len(system.processes("web")), 1)

    def test_browser_asked_for_without_a_screen(self):
        """The default: the broker says that there is no screen and runs on."""
        system = self.start("--listen", "127.0.0.1:0")
        system.wait_line(r"^broker: no display: running without a browser")

    def test_help(self):
        done = self.system.run("broker", "--help")
        for flag in ("--config", "--listen", "--root", "--client-ca", "--uploads", "--echo", "--workers", "--no-browser",
                     "--browser", "--headless"):
            self.assertIn(flag, done.stdout)


class StartUpThatFails(SystemCase):
    def test_no_namespaces_means_no_start(self):
        """A sandbox that cannot be put on is an error: here the kernel refuses user namespaces to keyd."""
        limit = "/proc/sys/user/max_user_namespaces"
        system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser")
        # In a user namespace of its own a process can forbid further ones without touching the machine's setting.
        script = f'echo 0 > {limit} && exec "$@"'
        command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", system.program("broker"), *system.flags]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=COMMAND_S, check=False, env=system.environment(), cwd="/")
        self.assertIn(done.returncode, (100, 111), done.stderr)
        self.assertIn("namespace", done.stderr)
        self.assertNotIn("ready url=", done.stderr)
        self.assertEqual(system.pids(), [])


class ClientAuthorityFile(SystemCase):
    def test_a_good_one_is_accepted(self):
        authority = certificates.Authority(os.path.join(self.base, "authority"), "A CA")
        system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser")
        done = system.run("broker", "check", "--no-browser", "--client-ca", authority.certificate, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
