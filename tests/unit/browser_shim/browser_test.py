"""The real browser-shim, module and Chromium; broker, keyd and the page's server are faked here."""

import os
import signal
import socket
import tempfile
import time
import unittest

import picture
import sys

sys.path.insert(0, os.path.dirname(__file__))
from fakes import *

PROGRAM = "browser-shim/browser-shim"
MODULE = "browser-shim/module.so"
HTML = """<!DOCTYPE html><title>page</title><h1>page</h1>
<script>fetch('/api/get').then(answer => document.body.append('fetched'))</script>"""
ERROR_HTML = """<!DOCTYPE html><title>page</title><style>html { background: #00f }</style>
<img src=/picture onerror="document.documentElement.style.background = '#f00'">"""
RED = b"\xff\0\0"
PORT = 9000
PATIENCE_S = 20


def wait_until(condition):
    """Waits for what other processes do."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def read(path):
    with open(path) as file:
        return file.read()


def status_of(pid):
    return dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":\t" in line)


def namespace(pid, name):
    return os.readlink(f"/proc/{pid}/ns/{name}")


def processes_in(mounts):
    """All processes with that mount namespace: a browser's sandboxes make others of every kind, but not of this."""
    out = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and namespace(entry, "mnt") == mounts:
                out.append(int(entry))
        except OSError:
            pass
    return out


def descriptors(pid):
    out = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            out[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            pass
    return out


class BrowserTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.pki = Pki(cls.dir.name)
        cls.uid = SHIM_UID if os.getuid() == 0 else None

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def setUp(self):
        self.log = tempfile.TemporaryFile()
        self.stray = os.memfd_create("stray")
        self.shim = Shim(PROGRAM, self.uid, self.log.fileno(), self.stray)
        self.module = os.open(MODULE, os.O_RDONLY)
        self.page = None
        self.addCleanup(self.clean_up)

    def clean_up(self):
        self.shim.close()
        os.close(self.module)
        os.close(self.stray)
        self.log.close()
        if self.page:
            self.page.stop()

    def set_up_shim(self, more={}, fds=()):
        fields = {1: "chromium", 2: f"https://localhost:{PORT}/", 3: PORT, 4: 1, 11: PORT, **more}
        self.shim.send(SHIM_SETUP, fields, [self.module, *fds])

    def start(self, more={}, fds=(), html=HTML, tickets=True):
        """Set-up, listener, ready."""
        self.set_up_shim(more, fds)
        kind, fields, listener = self.shim.receive()
        self.assertEqual((kind, len(listener)), (SHIM_LISTENER, 1), fields)
        self.page = Page(self.pki, listener[0], html, tickets)
        self.assertEqual(self.shim.receive()[0], READY)

    def launch(self, answer=None):
        keyd = Keyd(self.pki, answer)
        self.shim.send(SHIM_LAUNCH, {1: 1}, [keyd.handle.fileno()])
        keyd.handle.close()
        return keyd

    def expect_browser(self, state):
        kind, fields, _ = self.shim.receive()
        self.assertEqual((kind, fields.get(1)), (SHIM_BROWSER, state), fields)
        return fields

    def launch_and_load(self):
        keyd = self.launch()
        self.expect_browser(STARTED)
        self.assertTrue(wait_until(lambda: ("/api/get", "kiosk") in self.page.requests), self.page.requests)
        return keyd

    def expect_failed(self, code, *words):
        kind, fields, _ = self.shim.receive()
        self.assertEqual(kind, FAILED)
        for word in words:
            self.assertIn(word, fields[1].decode())
        self.assertEqual(self.shim.wait(), code)

    def test_page_opens_with_a_key_that_the_browser_does_not_have(self):
        self.start()
        keyd = self.launch_and_load()
        self.assertEqual(self.page.requests[0], ("/", "kiosk"))
        self.assertEqual(keyd.kinds[0], PIN_HANDLE)
        self.assertIn(SIGN_BROWSER_DIGEST, keyd.kinds)
        self.shim.send(STOP)
        self.assertEqual(self.shim.wait(), 0)

    def test_without_a_live_handle_the_page_stays_shut(self):
        self.start()
        keyd = self.launch(lambda kind, fields, sender: (HANDLE_PINNED, {}) if kind == PIN_HANDLE else (REFUSAL, {1: 4}))
        self.expect_browser(STARTED)
        self.assertTrue(wait_until(lambda: DESCRIBE_HANDLE in keyd.kinds))
        time.sleep(1)
        self.assertEqual(self.page.requests, [])

    def test_browser_is_where_it_should_be_and_only_it_has_the_handle(self):
        self.start()
        keyd = self.launch_and_load()
        browser = keyd.pinned
        inside = processes_in(namespace(browser, "mnt"))
        self.assertGreater(len(inside), 4, "zygotes, renderers and services")
        handle = descriptors(browser)[3]
        self.assertTrue(handle.startswith("socket:"))
        supply = descriptors(browser)[4]
        self.assertTrue(supply.startswith("socket:"))
        for socket_of_its_own in (handle, supply):
            holders = [pid for pid in inside if socket_of_its_own in descriptors(pid).values()]
            self.assertEqual(holders, [browser])
        launcher = int(status_of(browser)["PPid"])
        for pid in set(inside) - {launcher}:
            self.assertNotIn("/memfd:stray (deleted)", descriptors(pid).values(), "what the shim had by mistake")
        for name in ("user", "pid", "net", "mnt", "uts", "cgroup", "ipc"):
            self.assertNotEqual(namespace(browser, name), namespace("self", name), name)
        for pid in [self.shim.pid, *inside]:
            status = status_of(pid)
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), pid)
        status = status_of(browser)
        self.assertEqual(int(status["CapEff"], 16), 0)
        if self.uid:
            self.assertEqual(status["Uid"].split(), [str(self.uid)] * 4)

    def test_chromiums_own_sandbox_is_on(self):
        self.start()
        browser = self.launch_and_load().pinned
        renderers = [
            pid for pid in processes_in(namespace(browser, "mnt"))
            if "--type=renderer" in read(f"/proc/{pid}/cmdline")
        ]
        self.assertGreater(len(renderers), 0)
        for pid in renderers:
            self.assertNotEqual(namespace(pid, "user"), namespace(browser, "user"))
            self.assertNotEqual(namespace(pid, "net"), namespace(browser, "net"))
            self.assertEqual(status_of(pid)["Seccomp_filters"], "2", "the launcher's and its own")

    def test_browser_sees_nothing_of_peoples_files(self):
        self.start()
        browser = self.launch_and_load().pinned
        root = f"/proc/{browser}/root"
        self.assertEqual(sorted(os.listdir(root + "/home")), ["keyward", "kiosk"])
        for path in ("/root", "/run", "/var/tmp"):
            self.assertEqual(os.listdir(root + path), [], path)
        self.assertNotIn(os.path.basename(self.dir.name), os.listdir(root + "/tmp"))
        mounts = [line.split() for line in read(f"/proc/{browser}/mountinfo").splitlines()]
        options = {fields[4]: fields[5].split(",") for fields in mounts}
        self.assertIn("ro", options["/"])
        self.assertIn("ro", options["/home/keyward"])
        for path in ("/home", "/tmp", "/run"):
            self.assertTrue({"nosuid", "nodev"} <= set(options[path]), path)

    def test_nothing_is_left_when_the_broker_is_gone(self):
        self.start()
        browser = self.launch_and_load().pinned
        inside = namespace(browser, "mnt")
        began = time.monotonic()
        self.assertEqual(self.shim.close(), 0)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertTrue(wait_until(lambda: processes_in(inside) == []))

    def test_nothing_is_left_when_the_shim_is_killed(self):
        self.start()
        browser = self.launch_and_load().pinned
        inside = namespace(browser, "mnt")
        os.kill(self.shim.pid, signal.SIGKILL)
        self.assertEqual(self.shim.wait(), -signal.SIGKILL)
        self.assertTrue(wait_until(lambda: processes_in(inside) == []))

    def test_nothing_is_left_when_the_shim_is_killed_and_the_launcher_hangs(self):
        self.start()
        browser = self.launch_and_load().pinned
        inside = namespace(browser, "mnt")
        os.kill(int(status_of(browser)["PPid"]), signal.SIGSTOP)
        os.kill(self.shim.pid, signal.SIGKILL)
        self.assertEqual(self.shim.wait(), -signal.SIGKILL)
        self.assertTrue(wait_until(lambda: processes_in(inside) == []))

    def test_a_launcher_that_hangs_does_not_stop_the_shim_from_ending(self):
        self.start()
        browser = self.launch_and_load().pinned
        inside = namespace(browser, "mnt")
        os.kill(int(status_of(browser)["PPid"]), signal.SIGSTOP)
        began = time.monotonic()
        self.shim.send(STOP)
        self.assertEqual(self.shim.wait(), 0)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertTrue(wait_until(lambda: processes_in(inside) == []))

    def test_a_browser_that_ends_is_reported_and_the_next_one_works(self):
        self.start()
        browser = self.launch_and_load().pinned
        os.kill(browser, signal.SIGKILL)
        ended = self.expect_browser(ENDED)
        self.assertEqual(ended[3], signal.SIGKILL)
        self.page.requests.clear()
        self.launch_and_load()

    def test_a_new_handle_replaces_the_browser(self):
        self.start()
        first = self.launch_and_load().pinned
        self.page.requests.clear()
        second = self.launch_and_load().pinned  # STARTED comes next: no ENDED for what was asked for
        self.assertNotEqual(first, second)
        self.assertFalse(os.path.exists(f"/proc/{first}"))

    def test_a_renewed_handle_is_supplied_and_the_browser_stays(self):
        self.start(tickets=False)
        first = self.launch_and_load()
        again = Keyd(self.pki)
        self.shim.send(SHIM_RENEW, {1: 2}, [again.handle.fileno()])
        again.handle.close()
        self.expect_browser(SUPPLIED)
        self.assertIsNone(again.pinned, "it is for the broker to pin it")
        self.assertTrue(os.path.exists(f"/proc/{first.pinned}"))

    def test_a_renewed_handle_without_a_browser_is_dropped(self):
        self.start()
        keyd = Keyd(self.pki)
        self.shim.send(SHIM_RENEW, {1: 2}, [keyd.handle.fileno()])
        keyd.handle.close()
        self.launch_and_load()  # STARTED comes next: nothing was supplied

    def test_a_handle_that_cannot_be_pinned_starts_nothing(self):
        self.start()
        self.launch(lambda kind, fields, sender: (REFUSAL, {1: 4}))
        ended = self.expect_browser(ENDED)
        self.assertEqual(os.waitstatus_to_exitcode(ended[3]), 111)
        self.log.seek(0)
        self.assertIn(b"cannot be pinned", self.log.read())

    def test_screenshot(self):
        with tempfile.TemporaryFile() as picture:
            self.start({5: 1}, [picture.fileno()])
            self.launch()
            self.expect_browser(STARTED)
            self.expect_browser(SCREENSHOT)
            self.expect_browser(ENDED)
            self.assertIn(("/api/get", "kiosk"), self.page.requests)
            picture.seek(0)
            data = picture.read()
            self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
            self.assertEqual(data[-8:], b"IEND\xaeB`\x82")

    def expect_error_in_page(self, answer):
        """A page whose second request needs another signature, which answer is asked for: it fails, and the page goes on."""
        keyd, signatures = None, []

        def answer_once(kind, fields, sender):
            if kind == SIGN_BROWSER_DIGEST:
                signatures.append(kind)
                if len(signatures) > 1:
                    return answer(keyd)
            return keyd.answer_well(kind, fields, sender)

        with tempfile.TemporaryFile() as file:
            self.start({5: 1}, [file.fileno()], ERROR_HTML, tickets=False)
            keyd = self.launch(answer_once)
            self.expect_browser(STARTED)
            # There is a picture as soon as the page has all that it waits for, or an error in its place.
            self.expect_browser(SCREENSHOT)
            self.expect_browser(ENDED)
            file.seek(0)
            _, _, colours = picture.read(file.read())
        self.assertEqual(max(colours, key=colours.get)[:3], RED)
        self.assertEqual(self.page.requests, [("/", "kiosk")])
        self.assertGreater(len(signatures), 1)

    def test_a_refused_signature_is_an_error_in_the_page(self):
        self.expect_error_in_page(lambda keyd: (REFUSAL, {1: 11}))  # REFUSAL_UNEXPECTED

    def test_a_signature_refused_for_now_is_an_error_in_the_page(self):
        self.expect_error_in_page(lambda keyd: (REFUSAL, {1: 9}))  # REFUSAL_BUSY

    def test_a_handle_that_ends_is_an_error_in_the_page(self):
        self.expect_error_in_page(lambda keyd: keyd.socket.shutdown(socket.SHUT_RDWR) or (REFUSAL, {1: 9}))

    def test_a_keyd_that_says_nothing_is_an_error_in_the_page(self):
        self.expect_error_in_page(lambda keyd: time.sleep(8) or (REFUSAL, {1: 9}))

    def expect_connection_from_browser(self, path, setup, look=lambda browser: None):
        """A display server that only takes the connection: the way to it is what is tested. look is called meanwhile."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(path)
            self.addCleanup(os.unlink, path)
            os.chmod(path, 0o777)
            server.listen()
            server.settimeout(PATIENCE_S)
            self.start({4: 0, **setup})
            keyd = self.launch()
            self.expect_browser(STARTED)
            connection, _ = server.accept()
            self.assertGreater(len(connection.recv(1)), 0, "and it speaks")
            look(keyd.pinned)
            connection.close()

    def test_wayland_display(self):
        os.chmod(self.dir.name, 0o711)
        path = self.dir.name + "/wayland"
        self.expect_connection_from_browser(path, {7: path})

    def test_x_display_with_its_key(self):
        if not os.path.isdir("/tmp/.X11-unix"):
            os.mkdir("/tmp/.X11-unix")
            os.chmod("/tmp/.X11-unix", 0o1777)
        os.chmod(self.dir.name, 0o711)
        key = self.dir.name + "/Xauthority"
        with open(key, "w") as file:
            file.write("a key")
        number = 4000 + os.getpid() % 5000
        self.expect_connection_from_browser(
            f"/tmp/.X11-unix/X{number}",
            {6: f":{number}", 8: key},
            lambda browser: self.assertEqual(read(f"/proc/{browser}/root/home/keyward/Xauthority"), "a key"),
        )

    def test_unknown_browser(self):
        self.set_up_shim({1: "netscape"})
        self.expect_failed(100, "netscape", "--browser chromium")

    def test_page_that_is_not_https(self):
        self.set_up_shim({2: "http://localhost:9000/"})
        self.expect_failed(100, "not an https URL")

    def test_display_of_another_host(self):
        self.set_up_shim({4: 0, 6: "elsewhere:0"})
        self.expect_failed(100, "elsewhere:0", "want :NUMBER")

    def test_display_that_is_not_there(self):
        self.set_up_shim({4: 0, 6: ":4711"})
        self.expect_failed(100, ":4711", "no X server")

    def test_launch_before_set_up(self):
        self.launch()
        self.expect_failed(111, "SHIM_LAUNCH")

    def test_broker_that_says_nothing_and_goes(self):
        self.assertEqual(self.shim.close(), 111)


if os.getuid() == 0:

    class RootTest(unittest.TestCase):
        def test_refuses_to_run_a_browser_as_root(self):
            shim = Shim(PROGRAM, None)
            module = os.open(MODULE, os.O_RDONLY)
            shim.send(SHIM_SETUP, {1: "chromium", 2: "https://localhost:9000/", 3: PORT, 4: 1, 11: PORT}, [module])
            kind, fields, _ = shim.receive()
            self.assertEqual(kind, FAILED)
            self.assertIn("root", fields[1].decode())
            self.assertEqual(shim.wait(), 100)
            os.close(module)
