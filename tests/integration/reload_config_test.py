"""SIGHUP and broker reload: another configuration, other certificates and keys, all or nothing, and nobody is refused meanwhile."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import certificates
import processes
import wire
from keyward import SystemCase, for_each_user, is_root

CONFIG = """
[listen]
address = 127.0.0.1:{port}
[web]
workers = 2
root = {root}
client_ca = {ca}
{web}
[keyd]
server_certificate = {directory}/server.pem
server_key = {directory}/server.key
{keyd}
[browser]
browser = none
[metrics]
listen = none
{rest}
"""


@for_each_user
class ReloadConfig(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "CA")
        cls.client = cls.authority.leaf("client")
        cls.servers = [cls.authority.leaf(f"server-{i}", profile="server") for i in range(3)]

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="conf-", dir=self.base)
        os.chmod(self.directory, 0o755)
        self.root = self.make_root("one")
        self.config = os.path.join(self.directory, "keyward.ini")
        self.port = 0
        self.bring(0)
        self.write()

    def own(self, path, mode):
        os.chmod(path, mode)
        if is_root():
            os.chown(path, self.uid, -1)

    def make_root(self, text):
        root = os.path.join(self.directory, text)
        os.makedirs(root)
        os.chmod(root, 0o755)
        with open(os.path.join(root, "index.html"), "w", encoding="ascii") as out:
            out.write(text)
        return root

    def put(self, name, text, mode):
        """Replaces a file as careful people do, by another one of the same name."""
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        self.own(path + ".new", mode)
        os.rename(path + ".new", path)

    def bring(self, number, key=None):
        certificate, own_key = self.servers[number]
        with open(certificate, encoding="ascii") as leaf, open(self.authority.certificate, encoding="ascii") as issuer:
            self.put("server.pem", leaf.read() + issuer.read(), 0o644)
        with open(key or own_key, encoding="ascii") as text:
            self.put("server.key", text.read(), 0o600)

    def write(self, web="", keyd="", rest="", root=None):
        self.put("keyward.ini", CONFIG.format(port=self.port, root=root or self.root, ca=self.authority.certificate, web=web,
                                              keyd=keyd, rest=rest, directory=self.directory), 0o644)

    def begin(self, *flags):
        return self.start("--config", self.config, *flags, uid=self.uid)

    def open(self, system, alpn="http/1.1"):
        return wire.connect(system.port, self.authority.certificate, self.client, alpn=alpn)

    def get(self, connection, path="/"):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, dict(answer.getheaders()), answer.read().decode()

    def get_once(self, system):
        with self.open(system) as connection:
            return self.get(connection)

    def serial(self, system):
        with self.open(system) as connection:
            return connection.getpeercert()["serialNumber"]

    def refused(self, system, *words):
        done = system.broker("reload", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)
        return done

    # ---- What is taken ----

    def test_what_is_served(self):
        system = self.begin()
        self.assertEqual(self.get_once(system)[2], "one")
        self.write(root=self.make_root("two"), rest="[headers]\nX-Made-By = a test\n[content]\nspa = yes\n[log]\naccess = json\n"
                   "[limits]\naddress_connections = 3\n", web="idle_timeout = 2s\n")
        self.assertEqual(system.broker("reload").stdout, "reloaded; 0 connections closed\n")
        status, headers, text = self.get_once(system)
        self.assertEqual((status, headers.get("X-Made-By"), text), (200, "a test", "two"))
        with self.open(system) as connection:
            self.assertEqual(self.get(connection, "/not/there")[2], "two")
        self.assertIn('"path":"/not/there"', system.log().replace(" ", ""))
        held = []  # three for each of two workers
        for _ in range(20):
            try:
                held.append(self.open(system))
            except OSError:
                break
        self.assertTrue(3 <= len(held) <= 6, len(held))

    def test_tls(self):
        system = self.begin()
        with wire.connect(system.port, self.authority.certificate, self.client, version=ssl.TLSVersion.TLSv1_2):
            pass
        self.write(rest="[tls]\nmin_version = 1.3\ngroups = P-384\n")
        system.broker("reload")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            wire.connect(system.port, self.authority.certificate, self.client, version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(self.get_once(system)[0], 200)
        self.write()
        system.broker("reload")
        with wire.connect(system.port, self.authority.certificate, self.client, version=ssl.TLSVersion.TLSv1_2) as connection:
            self.assertEqual(self.get(connection)[0], 200)

    def test_a_renewed_certificate_and_its_key(self):
        system = self.begin()
        first = self.serial(system)
        keyd = system.pid_of("keyd")
        kept = self.open(system)
        self.get(kept)
        self.bring(1)
        system.broker("reload")
        self.assertEqual(system.pid_of("keyd"), keyd)
        serials = {self.serial(system) for _ in range(8)}
        self.assertEqual(len(serials), 1)
        self.assertNotIn(first, serials)
        status, headers, _ = self.get(kept)
        self.assertEqual((status, headers.get("Connection")), (200, "close"))
        serials_in_status = [c["serial"] for c in json.loads(system.broker("status", "--json").stdout)["certificates"]]
        self.assertIn(serials.pop().lower().lstrip("0"), [s.lower().lstrip("0") for s in serials_in_status])
        for name in ("keyd", "web[2]", "web[3]"):  # and whoever starts later has it too
            mark = system.mark()
            processes.kill(system.pid_of(name))
            system.wait_line(rf"^broker: {name.replace('[', '.').replace(']', '.')} ready pid=", since=mark)
        processes.wait_until(lambda: self.can(system), 10, system.log)
        self.assertNotEqual(self.serial(system), first)

    def can(self, system):
        try:
            return self.get_once(system)[0] == 200
        except OSError:
            return False

    def serial_of(self, system, name):
        with wire.connect(system.port, self.authority.certificate, self.client, name=name) as connection:
            return connection.getpeercert()["serialNumber"]

    def name(self, made, key=None):
        """Puts this pair, or its certificate with another key, where [certificate "shop"] has its files."""
        for target, source, mode in (("shop.pem", made[0], 0o644), ("shop.key", key or made[1], 0o600)):
            with open(source, encoding="ascii") as text:
                self.put(target, text.read(), mode)

    def section(self):
        return f'[certificate "shop"]\ncertificate = {self.directory}/shop.pem\nkey = {self.directory}/shop.key\n'

    def test_certificates_by_name(self):
        pairs = [self.authority.server(f"shop-{i}-{time.monotonic_ns()}", ["DNS:shop.example"]) for i in range(2)]
        self.name(pairs[0])
        self.write(rest=self.section())
        system = self.begin()
        keyd, first, default = system.pid_of("keyd"), self.serial_of(system, "shop.example"), self.serial(system)
        old = wire.connect(system.port, self.authority.certificate, self.client, name="shop.example")
        self.name(pairs[1])
        system.broker("reload")
        renewed = self.serial_of(system, "shop.example")
        self.assertNotEqual(renewed, first)
        self.assertEqual([self.serial_of(system, "shop.example") for _ in range(8)], [renewed] * 8)
        self.assertEqual(self.serial(system), default)
        self.assertEqual(self.get(old)[0], 421)  # still served; its Host is another server's
        old.close()
        # A key of another certificate: keyd refuses it, before any worker is started, and it is not kept for later.
        self.name(pairs[1], key=pairs[0][1])
        self.refused(system, '[certificate "shop"] key: is not the key of the first certificate')
        self.assertEqual(self.serial_of(system, "shop.example"), renewed)
        mark = system.mark()
        processes.kill(keyd)
        system.wait_line(r"^broker: keyd ready pid=", since=mark)
        processes.wait_until(lambda: self.can(system), 10, system.log)
        self.assertEqual(self.serial_of(system, "shop.example"), renewed)

    def test_certificates_by_name_come_and_go(self):
        pair = self.authority.server(f"shop-{time.monotonic_ns()}", ["DNS:shop.example"])
        system = self.begin()
        self.name(pair)
        self.write(rest=self.section())
        system.broker("reload")
        shop = self.serial_of(system, "shop.example")
        self.assertIn(shop.lstrip("0"), system.broker("status").stdout.upper().replace(":", ""))
        self.write()
        system.broker("reload")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.serial_of(system, "shop.example")
        self.assertNotIn(shop.lstrip("0"), system.broker("status").stdout.upper().replace(":", ""))
        self.write(rest=self.section())
        system.broker("reload")
        self.assertEqual(self.serial_of(system, "shop.example"), shop)

    def test_client_cas_are_taken_away(self):
        """Their clients' connections end, at workers that go on with all others."""
        self.write(rest="[tls]\nmode = optional\n")
        system = self.begin()
        named = [self.open(system) for _ in range(6)]
        unnamed = [wire.connect(system.port, self.authority.certificate, None) for _ in range(6)]
        for connection in named + unnamed:
            self.get(connection)
        with open(self.config, encoding="ascii") as now:
            text = now.read()
        self.put("keyward.ini", text.replace("client_ca = ", ";client_ca = "), 0o644)
        mark = system.mark()
        self.assertEqual(system.broker("reload").stdout, "reloaded; 6 connections closed\n")
        for connection in named:
            self.assertEqual(wire.read_to_end(connection), b"")
        for connection in unnamed:
            self.assertEqual(self.get(connection)[0], 200)
        self.assertNotIn("given up", "\n".join(system.lines(mark)))

    def test_flags_win(self):
        system = self.begin("--access-log", "none", "--root", self.root)
        self.write(root=self.make_root("three"), rest="[log]\naccess = json\n")
        system.broker("reload")
        self.assertEqual(self.get_once(system)[2], "one")
        self.assertNotIn('"path"', system.log())

    def test_other_numbers_of_workers(self):
        system = self.begin()
        with open(self.config, encoding="ascii") as now:
            text = now.read()
        for number in (4, 1, 2):
            self.put("keyward.ini", text.replace("workers = 2", f"workers = {number}"), 0o644)
            system.broker("reload")
            processes.wait_until(lambda n=number: len(system.processes("web")) == n, 10, lambda: system.processes("web"))
            self.assertEqual(self.get_once(system)[0], 200)

    # ---- What is not ----

    def test_what_is_no_good_changes_nothing(self):
        system = self.begin()
        serial, pids = self.serial(system), {p["pid"] for p in system.processes("web")}
        kept = self.open(system)
        self.get(kept)
        self.write(rest="[limits]\nconnections = many\n")
        line = 1 + open(self.config, encoding="ascii").read().split("connections = many")[0].count("\n")
        self.refused(system, f"{self.config}:{line}: [limits] connections: ")
        self.write(rest="[nonsense]\nx = y\n")
        self.refused(system, "there is no section [nonsense]")
        self.write(root=os.path.join(self.directory, "nowhere"))
        self.refused(system, "--root '", "nowhere': No such file or directory")
        self.write()
        self.bring(1, key=self.servers[2][1])
        self.refused(system, "--server-key: is not the key of the first certificate in --server-certificate")
        self.bring(1)
        os.unlink(os.path.join(self.directory, "server.pem"))
        self.refused(system, "--server-certificate '", "No such file or directory")
        self.bring(1)
        os.chmod(os.path.join(self.directory, "server.key"), 0o644)
        self.refused(system, "--server-key '", "chmod 600")
        self.put("server.pem", "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n", 0o644)
        self.bring(1, key=self.servers[1][1])
        os.unlink(self.config)
        self.refused(system, "--config '", "No such file or directory")
        self.assertEqual({p["pid"] for p in system.processes("web")}, pids)
        self.assertEqual(self.serial(system), serial)
        self.assertEqual(self.get(kept)[0], 200)
        self.write()
        system.broker("reload")  # and then it is taken
        self.assertNotEqual(self.serial(system), serial)

    def test_a_root_that_web_cannot_read(self):
        system = self.begin()
        root = self.make_root("closed")
        os.chmod(root, 0o000)
        self.addCleanup(os.chmod, root, 0o755)  # so that it can be removed
        self.write(root=root)
        self.refused(system, f"--root '{root}': ")
        self.assertEqual(self.get_once(system)[2], "one")

    def test_what_needs_a_restart_is_named(self):
        system = self.begin()
        for keyd, rest, name in (("leaf_lifetime = 3d", "", "[keyd] leaf_lifetime"), ("", "[echo]\naddress = 127.0.0.1:0\n", "[echo] address"),
                                 ("", "[audit]\ninterval = 5s\n", "[audit] interval"), ("", "[tls]\nresumption = no\n", "[tls] resumption"),
                                 ("", '[proxy "/app/"]\nupstream = http://127.0.0.1:8080\n', "[proxy] 'http://127.0.0.1:8080'")):
            self.write(keyd=keyd, rest=rest, root=self.make_root("never-" + name.strip("[]").split("]")[0] + str(time.monotonic_ns())))
            self.refused(system, name + ": needs a restart")
            self.assertEqual(self.get_once(system)[2], "one")

    # ---- Who asked, and what came of it ----

    def test_it_is_on_record(self):
        system = self.begin()
        self.write(rest="[headers]\nX-Test = 1\n")
        system.broker("reload")
        self.write(rest="[limits]\nconnections = many\n")
        self.refused(system)
        self.write()
        system.process.send_signal(signal.SIGHUP)
        reloads = lambda: [line for line in system.lines() if line.startswith("broker: reloaded changes='[headers]' ")]
        processes.wait_until(lambda: len(reloads()) == 2, 10, system.log)
        system.stop()
        with open(os.path.join(system.runtime, "audit.jsonl"), encoding="ascii") as log:
            records = [r for r in map(json.loads, log) if r["what"] == "reloaded"]
        self.assertEqual([(r["process"], r.get("text", ""), "reason" in r) for r in records],
                         [("control", "[headers]", False), ("control", "", True), ("SIGHUP", "[headers]", False)])
        self.assertIn("[limits] connections", records[1]["reason"])
        self.assertEqual(records[0]["uid"], self.uid)
        self.assertEqual((records[2]["uid"], records[2]["pid"]), (os.geteuid(), os.getpid()))
        done = system.run("broker", "audit", "verify", os.path.join(system.runtime, "audit.jsonl"), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    # ---- In the midst of things ----

    def test_nobody_is_refused_under_load(self):
        """Connections that are kept, and new ones; each answer has to be whole, and none may be missing."""
        system = self.begin()
        failed, done, over = [], [], threading.Event()

        def kept():
            connection = None
            while not over.is_set():
                try:
                    connection = connection or self.open(system)
                    status, headers, text = self.get(connection)
                    if status != 200 or text not in ("one", "four"):
                        failed.append((status, text))
                    if headers.get("Connection") == "close":
                        connection.close()
                        connection = None
                    done.append("kept")
                except OSError as error:
                    failed.append(error)
                    connection = None

        def new():
            while not over.is_set():
                try:
                    if self.get_once(system)[0] != 200:
                        failed.append("status")
                    done.append("new")
                except OSError as error:
                    failed.append(error)

        threads = [threading.Thread(target=target) for target in (kept, kept, kept, new, new)]
        for thread in threads:
            thread.start()
        four = self.make_root("four")
        for i in range(8):
            self.bring(i % 3)
            self.write(root=four if i % 2 == 0 else self.root, rest=f"[headers]\nX-Round = {i}\n")
            system.broker("reload")
            before = len(done)
            processes.wait_until(lambda n=before: len(done) > n + 5 or failed, 20, system.log)
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual({"kept", "new"}, set(done))

    def test_nobody_is_refused_under_load_over_http2(self):
        """curl asks one thing after the other on a connection as long as it may, and opens another when it is told that it ends."""
        self.write(rest="[tls]\nmode = server\n")
        system = self.begin()
        command = ["curl", "--silent", "--show-error", "--http2", "--cacert", self.authority.certificate, "--output", "/dev/null",
                   "--write-out", "%{http_code} %{http_version} %{num_connects}\n", f"https://localhost:{system.port}/?[1-3000]"]
        clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for i in range(8):
            self.bring(i % 3)
            system.broker("reload")
        for client in clients:
            out, errors = client.communicate(timeout=60)
            self.assertEqual((client.returncode, errors), (0, ""))
            lines = out.splitlines()
            self.assertEqual(len(lines), 3000)
            self.assertEqual({line[:5] for line in lines}, {"200 2"})
            self.assertGreater(sum(int(line.split()[2]) for line in lines), 1)  # it was told, more than once

    def test_a_long_answer_is_finished(self):
        big = os.path.join(self.root, "big.bin")
        with open(big, "wb") as out:
            out.truncate(64 << 20)
        system = self.begin()
        connection = self.open(system)
        connection.sendall(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = len(connection.recv(65536))
        before = {p["pid"] for p in system.processes("web")}
        system.broker("reload")
        left = before & {p["pid"] for p in system.processes("web")}
        self.assertEqual(len(left), 1)
        while got < 64 << 20:
            piece = connection.recv(1 << 20)
            self.assertTrue(piece, f"ended after {got} bytes")
            got += len(piece)
        connection.close()
        processes.wait_until(lambda: not left & {p["pid"] for p in system.processes("web")}, 20, lambda: system.processes("web"))

    def test_revocations_and_sessions_are_carried_over(self):
        system = self.begin()
        context = ssl.create_default_context(cafile=self.authority.certificate)
        context.load_cert_chain(*self.client)
        first = context.wrap_socket(socket.create_connection(("127.0.0.1", system.port)), server_hostname="localhost")
        self.get(first)
        session = first.session
        first.close()
        self.write(rest="[headers]\nX-Other = yes\n")
        system.broker("reload")
        again = context.wrap_socket(socket.create_connection(("127.0.0.1", system.port)), server_hostname="localhost", session=session)
        self.get(again)
        self.assertTrue(again.session_reused)
        again.close()
        serial = certificates.openssl("x509", "-in", self.client[0], "-noout", "-serial").strip().split("=")[1]
        system.broker("certificate", "revoke", serial)
        system.broker("reload")
        for _ in range(8):
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.get_once(system)

    def footprint(self, system):
        """What the processes that outlive reloads hold: open descriptors, by name, and resident memory in KiB."""
        count = {}, {}
        for pid in system.pids():
            name = processes.name(pid)
            if name not in ("broker", "spawner", "keyd"):
                continue
            count[0][name] = len(os.listdir(f"/proc/{pid}/fd"))
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                [count[1][name]] = [int(line.split()[1]) for line in status if line.startswith("VmRSS:")]
        self.assertEqual(set(count[0]), {"broker", "spawner", "keyd"})
        return count

    def test_nothing_grows(self):
        """Two hundred reloads after two hundred others, each with another key, and a certificate by name that comes and goes."""
        self.assertTrue(is_root(), "needs root: looks at the processes' descriptors; run the tests as root")
        self.name(self.authority.server(f"shop-{time.monotonic_ns()}", ["DNS:shop.example"]))
        system = self.begin()

        def reload(times):
            for i in range(times):
                self.bring(i % 2)
                self.write(rest=self.section() if i % 2 else "")
                system.broker("reload")
            processes.wait_until(lambda: len(system.processes("web")) == 2, 10, system.log)
            return self.footprint(system)

        fds, memory = reload(200)  # tables and heaps have been filled once
        fds_after, memory_after = reload(200)
        self.assertEqual(fds_after, fds)
        for name, before in memory.items():
            self.assertLess(memory_after[name], before + 1024, name)  # a heap has its steps; 5 KiB a time is seen

    def test_one_at_a_time_and_storms(self):
        system = self.begin()
        for i in range(200):
            system.process.send_signal(signal.SIGHUP)
        self.write(rest="[headers]\nX-Last = yes\n")
        system.process.send_signal(signal.SIGHUP)
        processes.wait_until(lambda: self.get_once(system)[1].get("X-Last") == "yes", 20, system.log)
        reloads = len([line for line in system.lines() if line.startswith("broker: reloaded")])
        self.assertLess(reloads, 100)
        outcomes = []

        def ask():
            done = system.broker("reload", check=False)
            outcomes.append((done.returncode, done.stderr))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(any(code == 0 for code, _ in outcomes), outcomes)
        for code, text in outcomes:
            self.assertTrue(code == 0 or "a reload is under way; ask again" in text, text)
        self.assertEqual(self.get_once(system)[0], 200)

    def test_while_processes_are_replaced(self):
        system = self.begin()
        for i in range(4):
            victim = "keyd" if i % 2 else system.processes("web")[0]["name"]
            self.bring(i % 3)
            self.write(rest=f"[headers]\nX-Round = {i}\n")
            pid = system.pid_of(victim)
            os.kill(pid, signal.SIGKILL)
            processes.wait_until(lambda: system.broker("reload", check=False).returncode == 0, 20, system.log)
            processes.wait_until(lambda n=i: self.can(system) and self.get_once(system)[1].get("X-Round") == str(n), 20, system.log)

    def test_a_key_that_does_not_fit_is_not_kept_for_later(self):
        """keyd has the client's key from its start, and asks for it again when it is replaced."""
        others = [self.authority.leaf(f"own-{i}-{time.monotonic_ns()}") for i in range(2)]
        with open(others[0][0], encoding="ascii") as leaf, open(self.authority.certificate, encoding="ascii") as issuer:
            self.put("client.pem", leaf.read() + issuer.read(), 0o644)
        for owner, key in others:
            with open(key, encoding="ascii") as text:
                self.put("client.key", text.read(), 0o600)
            if owner == others[0][0]:
                self.write(keyd=f"client_certificate = {self.directory}/client.pem\nclient_key = {self.directory}/client.key\n")
                system = self.begin()
        system.broker("reload")
        mark = system.mark()
        processes.kill(system.pid_of("keyd"))
        system.wait_line(r"^broker: keyd ready pid=", since=mark)
        processes.wait_until(lambda: self.can(system), 10, system.log)

    def test_while_others_ask_on_the_control_socket(self):
        """Each reload takes places for processes that there were none in before, and somebody asks in that moment."""
        system = self.begin()
        with open(self.config, encoding="ascii") as now:
            text = now.read()
        over = threading.Event()

        def ask():
            while not over.is_set():
                system.broker("status", "--json", check=False)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        try:
            for number in range(3, 13):
                self.put("keyward.ini", text.replace("workers = 2", f"workers = {number}"), 0o644)
                system.broker("reload")
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.get_once(system)[0], 200)

    def test_what_keyd_says_too_late(self):
        """The new key is keyd's answer to a reload that has been given up: it is nobody's. keyd goes on before it would be replaced."""
        serial = certificates.openssl("x509", "-in", self.servers[0][0], "-noout", "-serial").strip().split("=")[1]
        system = self.begin()
        keyd = system.pid_of("keyd")
        os.kill(keyd, signal.SIGSTOP)
        self.bring(1)
        try:
            self.refused(system, "it was not done in time")
        finally:
            os.kill(keyd, signal.SIGCONT)
        processes.wait_until(lambda: self.can(system), 10, system.log)
        self.assertEqual({self.serial(system) for _ in range(8)}, {serial})
        system.broker("reload")
        self.assertNotEqual(self.serial(system), serial)
        self.assertEqual(system.pid_of("keyd"), keyd)

    def test_stop_while_old_workers_finish(self):
        system = self.begin()
        held = self.open(system)
        self.get(held)
        for _ in range(3):
            system.broker("reload")
        self.assertGreater(len(system.processes("web")), 2)
        system.stop()  # within the promised time, and nothing is left
        held.close()
