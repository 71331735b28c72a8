"""Real browsers, whose key is in keyd, open the page; one without a handle does not."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time

import picture
import processes
from keyward import ORDINARY, SystemCase, for_each_user, is_root

FLAGS = ("--listen", "127.0.0.1:0", "--headless")
FETCHED = r"^web\[\d+\]: request .*path='/api/get' status=200 .*subject='[^']*CN=keyward-kiosk"
BROWSER_S = 30
ATTEMPTS = 5  # at what takes a second at most: others may be using the machine too
CHROMIUM = "/usr/lib/chromium/chromium"


class BrowserCase(SystemCase):
    uid = None
    browser = os.environ.get("KEYWARD_BROWSER", "chromium")

    def start_browser(self, *flags):
        return self.start(*FLAGS, "--browser", self.browser, *flags, uid=self.uid)

    def make_root(self, files):
        """A directory with files of this content: {name: text}."""
        root = tempfile.mkdtemp(dir=self.base)
        os.chmod(root, 0o755)
        for name, content in files.items():
            with open(os.path.join(root, name), "w", encoding="ascii") as file:
                file.write(content)
        return root

    def browser_handles(self, system):
        return [handle for handle in system.status()["handles"] if handle["purpose"] == "browser-digest"]


@for_each_user
class Page(BrowserCase):
    def test_it_loads_and_its_fetch_succeeds(self):
        system = self.start_browser()
        system.wait_line(FETCHED, BROWSER_S)
        [handle] = self.browser_handles(system)
        self.assertGreaterEqual(handle["signatures"], 1)
        self.assertGreater(handle["pinned_pid"], 0)
        self.assertFalse(system.status()["browser_digest_unbound"])
        self.check_browser_processes(system)
        self.check_only_holder(system.pid_of("browser"))

    def check_only_holder(self, browser):
        """Its handle and the way to the next one are in no other process of this machine."""
        own = [os.readlink(f"/proc/{browser}/fd/{fd}") for fd in (3, 4)]
        for pid in processes.parents():
            with contextlib.suppress(OSError):  # gone, or another user's where this is not root
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(FileNotFoundError):
                        if pid != browser:
                            self.assertNotIn(os.readlink(f"/proc/{pid}/fd/{fd}"), own, processes.name(pid))

    def check_browser_processes(self, system):
        """No process of the browser runs as root or without a filter; its first one lives in namespaces of its own."""
        browsers = self.browser_pids(system)
        self.assertGreater(len(browsers), 2)
        for pid in browsers:
            with contextlib.suppress(FileNotFoundError):  # browsers start and end helpers at any time
                self.assertNotIn("0", processes.status(pid)["Uid"].split(), f"pid {pid} runs as root")
                self.assertEqual(processes.status(pid)["Seccomp"], "2")
        [browser] = [process for process in system.processes("browser") if process["name"] == "browser"]
        for namespace in ("net", "mnt", "pid"):
            self.assertIn(namespace, browser["namespaces"])
        if is_root():
            self.assertNotEqual(os.readlink(f"/proc/{system.pid_of('browser')}/ns/net"), os.readlink("/proc/self/ns/net"))

    def test_a_screenshot(self):
        directory = tempfile.mkdtemp(dir=self.base)
        os.chown(directory, self.uid, -1)
        path = os.path.join(directory, "page.png")
        system = self.start_browser("--screenshot", path)
        processes.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, BROWSER_S,
                             lambda: f"no screenshot:\n{system.log()}")
        system.wait_line(r"^broker: screenshot complete", BROWSER_S)
        with open(path, "rb") as file:
            width, height, colours = picture.read(file.read())
        self.assertGreater(width * height, 100_000)
        self.assertGreater(len(colours), 20, "letters have edges of many shades")
        self.assertLess(max(colours.values()), width * height * 0.995, "the page is blank")

    def test_keyd_dies_and_the_browser_comes_back(self):
        system = self.start_browser()
        system.wait_line(FETCHED, BROWSER_S)
        mark = system.mark()
        processes.kill(system.pid_of("keyd"))
        system.wait_line(FETCHED, BROWSER_S, since=mark)

    def test_the_browser_dies_and_comes_back_with_another_handle(self):
        system = self.start_browser()
        system.wait_line(FETCHED, BROWSER_S)
        [before] = self.browser_handles(system)
        mark = system.mark()
        processes.kill(system.pid_of("browser"))
        system.wait_line(FETCHED, BROWSER_S, since=mark)
        [after] = self.browser_handles(system)
        self.assertNotEqual(before["handle"], after["handle"])

    def browser_pids(self, system):
        """All processes of the browser: its first one and what came of it."""
        found = {system.pid_of("browser")}
        for pid in sorted(system.pids()):
            with contextlib.suppress(FileNotFoundError):
                if int(processes.status(pid)["PPid"]) in found:
                    found.add(pid)
        return sorted(found)

    def test_the_shim_dies_and_all_of_it_comes_back(self):
        system = self.start_browser()
        system.wait_line(FETCHED, BROWSER_S)
        old = self.browser_pids(system)
        mark = system.mark()
        processes.kill(system.pid_of("browser-shim"))
        system.wait_line(FETCHED, BROWSER_S, since=mark)
        self.assertEqual(set(old) & set(self.browser_pids(system)), set(), "the old browser is still there")


class NoHandle(BrowserCase):
    def listeners(self, system, before):
        """The host's that the system has. Who may not look at its processes takes what is new on the host for its own."""
        held = set()
        try:
            for pid in system.pids():
                with contextlib.suppress(FileNotFoundError):  # it has just ended
                    held |= set(processes.descriptors(pid).values())
        except PermissionError:
            return processes.tcp_listeners() - before
        return {inode for inode in processes.tcp_listeners() if f"socket:[{inode}]" in held}

    def test_listen_none_serves_the_browser_alone(self):
        """On the host nobody of the system listens; with the page's listener on the host, somebody does."""
        before = processes.tcp_listeners()
        system = self.start_browser("--listen", "none")
        system.wait_line(FETCHED, BROWSER_S)
        self.assertEqual(self.listeners(system, before), set())
        system.stop()
        system = self.start("--listen", "127.0.0.1:0", "--no-browser")
        self.assertEqual(len(self.listeners(system, before)), 1)

    def run_bare_chromium(self, url):
        """A Chromium that is given no handle. It trusts any server, so that what fails can only be its own proof."""
        home = tempfile.mkdtemp(dir=self.base)
        uid = ORDINARY if is_root() else os.geteuid()
        os.chown(home, uid, -1)
        command = [CHROMIUM, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--disable-quic", f"--user-data-dir={home}/profile",
                   "--ignore-certificate-errors", "--timeout=10000", "--dump-dom", url]
        if is_root():
            command = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *command]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={"HOME": home, "PATH": os.environ["PATH"]}, text=True, timeout=BROWSER_S, check=False)

    def test_a_browser_without_a_handle_does_not_get_the_page(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser")
        done = self.run_bare_chromium(system.url)
        self.assertNotIn("keyward.js", done.stdout)
        # Which error it is, and where it is said, differs between versions.
        self.assertRegex(done.stdout + done.stderr, "ERR_(BAD_SSL_CLIENT_AUTH_CERT|SOCKET_NOT_CONNECTED|SSL_[A-Z_]+)")
        system.wait_line(r"^web\[\d+\]: handshake refused .*reason='client sent no certificate'")
        self.assertIsNone(re.search(r"^web\[\d+\]: request ", system.log(), re.MULTILINE), "no request was answered")


@for_each_user
class Covered(BrowserCase):
    """A page of somebody's own with the server's script covers itself when its handle is revoked."""

    FILES = {
        "index.html": "<!doctype html><script src=/keyward/watch.js defer></script><script src=tell.js></script>",
        # Both clocks are this machine's.
        "tell.js": "let lost; document.addEventListener('keyward-lost', () => { lost = Date.now(); });"
                   "document.addEventListener('keyward-found', () => fetch('/lost/' + lost));",
    }

    def revoke_and_renew(self, system):
        """Returns how many seconds after the revocation the page was covered."""
        processes.wait_until(lambda: len(self.browser_handles(system)) == 1, BROWSER_S, "there is no handle, or an old one")
        [handle] = self.browser_handles(system)
        mark, asked = system.mark(), time.time()
        system.broker("handle", "revoke", str(handle["handle"]))
        time.sleep(2)  # somebody looks at the cover
        self.assertEqual(system.broker("browser", "renew").stdout, "the browser has a new handle\n")
        covered = system.wait_line(r"^web\[\d+\]: request .*path='/lost/(\d+)'", BROWSER_S, since=mark)
        system.wait_line(r"^web\[\d+\]: request .*path='/keyward/back/\d+' status=204", BROWSER_S, since=mark)
        self.assertNotRegex("\n".join(system.lines(since=mark)), r"path='/' ", "it was loaded again")
        return int(covered[1]) / 1000 - asked

    def test_within_a_second_and_back_with_a_new_handle(self):
        system = self.start_browser("--root", self.make_root(self.FILES))
        system.wait_line(r"^web\[\d+\]: request .*path='/keyward/watch.css' status=200", BROWSER_S)
        pid, took = system.pid_of("browser"), []
        while len(took) < ATTEMPTS and (not took or took[-1] > 1):
            took.append(self.revoke_and_renew(system))
        print("covered after", ", ".join(f"{seconds:.2f} s" for seconds in took), end=" ")
        self.assertTrue(0 < took[-1] < 1, took)
        self.assertEqual(system.pid_of("browser"), pid)


class AskingCase(BrowserCase):
    """A page that asks again and again."""

    # In files of their own, as the server's Content-Security-Policy lets no script into a page.
    FILES = {
        "index.html": "<!doctype html><script src=ask.js></script>",
        "ask.js": "setInterval(() => fetch('/api/get').catch(() => 0), 200)",
    }

    def start_asking(self):
        system = self.start_browser("--workers", "1", "--root", self.make_root(self.FILES))
        system.wait_line(FETCHED, BROWSER_S)
        return system

    def replace_worker(self, system):
        """Returns a place in the log from which on all lines are of the new worker."""
        [old] = system.processes("web")
        processes.kill(old["pid"])
        replaced = lambda: [new for new in system.processes("web") if new["pid"] not in (0, old["pid"])]
        mark = system.mark()
        processes.wait_until(replaced, 10, "the worker did not come back")
        return mark


class Revoked(AskingCase):
    """Its worker is replaced, which ends its connections and their tickets, so that only a new signature gets it back
    in."""

    def test_with_its_handle_the_browser_comes_back(self):
        system = self.start_asking()
        system.wait_line(FETCHED, BROWSER_S, since=self.replace_worker(system))

    def test_without_it_the_browser_does_not(self):
        system = self.start_asking()
        [handle] = self.browser_handles(system)
        system.broker("handle", "revoke", str(handle["handle"]))
        self.assertNotIn(handle["handle"], [left["handle"] for left in self.browser_handles(system)])
        mark = self.replace_worker(system)
        for _ in range(3):  # it tries, and fails, more than once
            mark += 1
            system.wait_line(r"^web\[0\]: handshake (refused|aborted) ", BROWSER_S, since=mark)
        after = "\n".join(system.lines(since=mark))
        self.assertNotRegex(after, r"path='/api/get' status=200")


@for_each_user
class Renewed(AskingCase):
    """A new handle, and new keys, while the page stays open."""

    def check_stayed(self, system, pid, mark):
        """It was neither started again nor has it loaded its page again."""
        self.assertEqual(system.pid_of("browser"), pid)
        self.assertNotRegex("\n".join(system.lines(since=mark)), r"request .*path='/' ")

    def test_keyd_dies_and_the_page_goes_on_with_new_keys(self):
        system = self.start_asking()
        pid, mark = system.pid_of("browser"), system.mark()
        before = [one["serial"] for one in system.status()["certificates"] if one["role"] == "client"]
        processes.kill(system.pid_of("keyd"))
        system.wait_line(r"^broker: browser has a new handle", BROWSER_S, since=mark)
        mark = self.replace_worker(system)  # which ends the connection: the next one needs the new keys
        system.wait_line(FETCHED, BROWSER_S, since=mark)
        self.check_stayed(system, pid, mark)
        after = [one["serial"] for one in system.status()["certificates"] if one["role"] == "client"]
        self.assertNotEqual(before, after)
        [handle] = self.browser_handles(system)
        self.assertGreaterEqual(handle["signatures"], 1)

    def test_a_revoked_browser_goes_on_with_a_new_handle(self):
        system = self.start_asking()
        pid = system.pid_of("browser")
        [handle] = self.browser_handles(system)
        system.broker("handle", "revoke", str(handle["handle"]))
        mark = system.mark()
        system.wait_line(r"^web\[\d+\]: handshake (refused|aborted) ", BROWSER_S, since=mark)
        self.assertNotRegex("\n".join(system.lines(since=mark)), FETCHED)
        self.assertEqual(system.broker("browser", "renew").stdout, "the browser has a new handle\n")
        system.wait_line(FETCHED, BROWSER_S, since=mark)
        self.check_stayed(system, pid, mark)

    def test_the_old_handle_is_given_back(self):
        system = self.start_asking()
        [handle] = self.browser_handles(system)
        system.broker("browser", "renew")
        [worker] = [one for one in system.processes("web")]
        processes.kill(worker["pid"])  # so that there is a handshake
        processes.wait_until(lambda: [one["handle"] for one in self.browser_handles(system)] not in ([], [handle["handle"]])
                             and len(self.browser_handles(system)) == 1, BROWSER_S, "the old handle is still there")

    def test_without_a_browser_there_is_nothing_to_renew(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser")
        done = system.broker("browser", "renew", check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("no browser is running", done.stderr)


@for_each_user
class Elsewhere(BrowserCase):
    """A page that wants to be elsewhere, without the server's Content-Security-Policy to stop it."""

    PAGE = """
        const page = location.origin;
        const wanted = {
            listener: "http://127.0.0.1:@PORT@/", host: "https://localhost:1/", name: "https://example.com/",
            file: "file:///etc/passwd", browser: "chrome://version/", about: "about:config",
        };
        const report = (name, what) => fetch(`${page}/report/${name}/${what}`);
        function frame(url) {
            const element = document.createElement("iframe");
            element.src = url;
            document.body.append(element);
        }
        function click(url) {
            const element = document.createElement("a");
            element.href = url;
            element.target = "_blank";
            element.click();
        }
        async function run() {
            for (const [name, url] of Object.entries(wanted)) {
                await report(name, await fetch(url, {mode: "no-cors"}).then(() => "reached", () => "failed"));
                for (const go of [frame, window.open, click]) {
                    try { go(url); } catch (error) { /* the browser will have nothing to do with it */ }
                }
            }
            setTimeout(() => report("all", "tried"), 1000);
        }
        run();
    """

    def test_nothing_but_the_page_is_reached(self):
        root = tempfile.mkdtemp(dir=self.base)
        os.chmod(root, 0o755)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0)
            files = {"index.html": "<!doctype html><body><script src=try.js></script>",
                     "try.js": self.PAGE.replace("@PORT@", str(listener.getsockname()[1]))}
            for name, content in files.items():
                with open(os.path.join(root, name), "w", encoding="ascii") as file:
                    file.write(content)
            system = self.start_browser("--root", root, "--header", "Content-Security-Policy:",
                                        "--header", "Cross-Origin-Opener-Policy:")
            system.wait_line(r"path='/report/all/tried'", BROWSER_S)
            for name in ("listener", "host", "name", "file", "browser", "about"):
                system.wait_line(rf"path='/report/{name}/failed'")
            with self.assertRaises(BlockingIOError, msg="the host's listener was reached"):
                listener.accept()
