"""The browser on a screen: inside Cage (Wayland), and on an X server. Neither needs hardware here.

The page paints all of itself in one colour after another, so that every picture shows whether the window covers the screen.
"""

import os
import shutil
import struct
import subprocess
import tempfile

import picture
import processes
from keyward import ORDINARY, ROOT, START_S, STOP_S, System, SystemCase, bystanders, is_root

BROWSER_S = 30
FETCHED = r"^web\[\d+\]: request .*path='/api/get' status=200"
COLOURS = {(200, 30, 60), (30, 90, 200)}

# In files of their own, as the server's Content-Security-Policy lets no script or style into a page.
FILES = {
    "index.html": "<!doctype html><link rel=stylesheet href=paint.css><script src=paint.js></script>",
    "paint.css": "html { background: rgb(200, 30, 60); height: 100% } html.other { background: rgb(30, 90, 200) }",
    "paint.js": "setInterval(() => document.documentElement.classList.toggle('other'), 150);"
                "setInterval(() => fetch('/api/get').catch(() => 0), 1000)",
}


def ordinary():
    """Whose screen it is."""
    return ORDINARY if is_root() else os.geteuid()


class OnDisplay(System):
    """A system whose browser has a screen."""

    variables = {}

    def environment(self):
        return {**super().environment(), "XDG_RUNTIME_DIR": self.directory, **self.variables}


def covered(colours):
    """The share of a picture that is the page's."""
    return sum(number for colour, number in colours.items() if tuple(colour[:3]) in COLOURS) / sum(colours.values())


class DisplayCase(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = os.path.join(cls.base, "page")
        os.mkdir(cls.root)
        for name, content in FILES.items():
            with open(os.path.join(cls.root, name), "w", encoding="ascii") as file:
                file.write(content)
        for directory, _, names in os.walk(cls.root):
            for name in [".", *names]:
                os.chmod(os.path.join(directory, name), 0o755)

    def prepare(self, uid):
        return OnDisplay(self.base, "--listen", "none", "--browser", "chromium", "--root", self.root, uid=uid)

    def begin(self, system):
        system.spawn()
        self.addCleanup(self.end, system)
        system.wait_line(r"^broker: ready ", START_S)
        system.wait_line(FETCHED, BROWSER_S)

    def end(self, system):
        """What is outside of the broker ends with it, or is ended."""
        system.process.terminate()
        try:
            system.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        system.kill_all()

    def expect_covered(self, look):
        def share():
            width, height, colours = look()
            self.assertEqual((width, height), (1280, 720))
            return covered(colours) > 0.99

        processes.wait_until(share, 20, lambda: f"only {covered(look()[2]):.0%} of the screen shows the page")


class InCage(DisplayCase):
    """Cage is started by the one whose screen it is, which is never root; it starts the broker, and ends when that does."""

    def test_the_page_covers_the_screen(self):
        system = self.prepare(ordinary())
        system.wrapper = ["cage", "--"]
        system.variables = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}
        self.begin(system)
        self.expect_covered(lambda: self.look(system))

    def look(self, system):
        [display] = [name for name in os.listdir(system.directory) if name.startswith("wayland-") and "." not in name]
        done = subprocess.run(system.as_user(["grim", "-"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                              env={**system.environment(), "WAYLAND_DISPLAY": display}, timeout=20, cwd="/")
        return picture.read(done.stdout)


class XCase(DisplayCase):
    """With an X server that lets in only who has a cookie."""

    COOKIE = bytes(range(16))

    def start_server(self, system):
        """As an ordinary user, on a display that is free; returns when it can be used."""
        self.frames = tempfile.mkdtemp(dir=self.base)
        cookie = os.path.join(self.frames, "cookie")
        self.write_cookie(cookie)
        user = OnDisplay(self.base, uid=ordinary())
        for path in (self.frames, cookie):
            os.chown(path, user.uid, -1)
        read, write = os.pipe()
        server = subprocess.Popen(
            user.as_user(["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "-fbdir", self.frames, "-auth",
                          cookie, "-nolisten", "tcp"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[write],
            env=user.environment(), cwd="/")
        bystanders.add(server.pid)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        os.close(write)
        with os.fdopen(read) as told:
            display = told.readline().strip()
        self.assertNotEqual(display, "", "Xvfb did not start")
        mine = os.path.join(system.directory, "Xauthority")
        shutil.copy(cookie, mine)
        os.chmod(mine, 0o600)
        os.chown(mine, system.uid, -1)
        system.variables = {"DISPLAY": ":" + display, "XAUTHORITY": mine}

    def start_window_manager(self, system):
        """Without one nobody answers a window's wish to fill the screen."""
        manager = subprocess.Popen(
            system.as_user(["matchbox-window-manager", "-use_titlebar", "no"]), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=system.environment(), cwd="/")
        bystanders.add(manager.pid)
        self.addCleanup(manager.wait)
        self.addCleanup(manager.terminate)

    def write_cookie(self, path):
        """Xau(7): family (0xffff: any), address, number, name and data, each of the last four with its length before it."""
        fields = [b"", b"", b"MIT-MAGIC-COOKIE-1", self.COOKIE]
        with open(path, "wb") as file:
            file.write(struct.pack(">H", 0xffff) + b"".join(struct.pack(">H", len(field)) + field for field in fields))
        os.chmod(path, 0o600)

    def look(self, _system):
        """The server keeps its screen in a file in the form of xwd (X11/XWDFile.h): a header of 25 numbers, colours, pixels."""
        with open(os.path.join(self.frames, "Xvfb_screen0"), "rb") as file:
            data = file.read()
        header = struct.unpack(">25I", data[:100])
        size, width, height, line, num_colours = header[0], header[4], header[5], header[12], header[19]
        colours = {}
        for row in range(height):
            at = size + 12 * num_colours + row * line
            for pixel in struct.unpack_from(f"<{width}I", data, at):
                colour = (pixel >> 16 & 255, pixel >> 8 & 255, pixel & 255)
                colours[colour] = colours.get(colour, 0) + 1
        return width, height, colours


class OnX(XCase):
    def test_the_page_covers_the_screen(self):
        system = self.prepare(ordinary())
        self.start_server(system)
        self.start_window_manager(system)
        self.begin(system)
        self.expect_covered(lambda: self.look(system))


class OnSomebodyElsesX(XCase):
    """The browser's keeper reads the cookie, and of a system that root starts that is a user of its own."""

    def test_it_says_what_to_do(self):
        self.assertTrue(is_root(), "needs root: starts the system as root; run the tests as root")
        system = self.prepare(ROOT)
        self.start_server(system)
        os.chown(system.variables["XAUTHORITY"], ORDINARY, -1)
        system.spawn()
        self.addCleanup(self.end, system)
        system.wait_line(r"X authority file .*: Permission denied; start the broker as the user whose display it is", START_S)
        self.assertNotEqual(system.process.wait(STOP_S), 0)
