"""The built-in page, looked at as people do: in light and dark, small and large, by keyboard and by screen reader, with a server
and without. The Chromium is the test's own and has no handle; what /api/get says is therefore given to it, where it matters."""

import os
import re
import signal

import picture
import processes
from devtools import Page
from keyward import SharedSystemCase, SystemCase

FLAGS = ("--listen", "127.0.0.1:0", "--no-browser", "--tls-mode", "off", "--workers", "1")
SIZES = ((1280, 900), (820, 1180), (390, 844), (320, 640))
SCHEMES = ("light", "dark")
CERTIFICATE = {
    "serial": "44c5bc8fd617723fe74f44932b3875fd", "fingerprint": "960b753c2ddc28ff" * 4,
    "issuer": "CN=Keyward ephemeral CA", "not_after": "2099-11-27T09:47:00.000Z",
}
ANSWER = {
    "message": "Hello from Keyward", "timestamp": "2026-11-20T16:20:31.204Z",
    "client": {**CERTIFICATE, "subject": "CN=keyward-kiosk", "handle": 1},
    "server": {**CERTIFICATE, "subject": "CN=localhost", "serial": "0bd2f6ee34a1aa02"},
    "tls": {"protocol": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519", "alpn": "h2", "resumed": False},
    "worker": {"number": 0, "connections": 2, "handshakes": 14, "handshakes_failed": 3, "requests": 1284,
               "requests_refused": 2},
    "uploads": {"max_bytes": 1 << 30},
}
OTHERS = {  # what else the server may know, and how the page begins then
    "known": ({"client": {**CERTIFICATE, "subject": "CN=operator", "issuer": "CN=Some other CA", "handle": None}},
              "Both sides have proved who they are."),
    "server": ({"client": None, "worker": None, "uploads": None}, "The server has proved who it is."),
    "nobody": ({"client": None, "server": None, "tls": None, "worker": None, "uploads": None},
               "Nobody has proved anything here."),
}

# WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for large letters. Every element with letters of its own, against what is painted
# behind it; no colour but the grounds of elements is painted there.
CONTRASTS = """(() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    const own = colour(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(node.parentElement));
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const letters = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!letters || !node.checkVisibility() || node.closest('noscript')) continue;
    const style = getComputedStyle(node);
    let opacity = 1;
    for (let at = node; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
    const behind = ground(node);
    const ink = colour(style.color);
    const a = luminance(over([...ink.slice(0, 3), ink[3] * opacity], behind)), b = luminance(behind);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    found.push([node.textContent.trim().slice(0, 40), ratio, large ? 3 : 4.5]);
  }
  return found;
})()"""


def keep(name, png):
    """As an artefact of the test, where Bazel keeps such."""
    directory = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    if directory:
        with open(os.path.join(directory, name + ".png"), "wb") as file:
            file.write(png)


class PageChecks:
    def check_contrast(self, page, what):
        found = page.run(CONTRASTS)
        self.assertGreater(len(found), 2)
        for text, ratio, wanted in found:
            self.assertGreaterEqual(ratio, wanted, f"{what}: {text!r}")

    def look_at(self, page, name, whole):
        """A picture that shows something; only small ones are looked through, which takes Python a second for each megapixel."""
        png = page.screenshot(whole)
        keep(name, png)
        if len(png) < 30_000:
            width, height, colours = picture.read(png)
            self.assertLess(max(colours.values()), width * height * 0.99, f"{name} is blank")


class Look(SharedSystemCase, PageChecks):
    flags = FLAGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.page = Page(cls.base)
        cls.addClassCleanup(cls.page.close)

    def open(self, answer):
        """The server's own answers are replaced: this Chromium cannot show it a certificate."""
        self.page.answer({"/api/get": answer})
        self.page.open("about:blank")
        self.page.open(self.system.url + "/")
        self.page.wait("document.getElementById('state')?.dataset.state === 'live'")

    def text(self, identity):
        return self.page.run(f"document.getElementById('{identity}').textContent")

    def test_every_size_and_scheme_fits_and_can_be_read(self):
        self.open(ANSWER)
        for scheme in SCHEMES:
            for width, height in SIZES:
                self.page.look(scheme, width, height)
                name = f"page-{scheme}-{width}"
                self.assertLessEqual(self.page.run("document.documentElement.scrollWidth"), width, f"{name} is wider than its window")
                self.check_contrast(self.page, name)
                self.look_at(self.page, name, whole=True)

    def test_it_says_what_the_server_says(self):
        self.page.look()
        self.open(ANSWER)
        expected = {"protocol": "TLS 1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "X25519", "alpn": "HTTP/2",
                    "proof": "in this connection’s handshake", "subject": "CN=keyward-kiosk", "server-subject": "CN=localhost",
                    "server-issuer": "CN=Keyward ephemeral CA", "holder-has": "handle 1", "requests": "1,284",
                    "handshakes-failed": "3", "title-second": "It never had the key."}
        self.assertEqual({name: self.text(name) for name in expected}, expected)

    def test_it_claims_no_more_than_the_server_knows(self):
        self.page.look()
        for name, (difference, title) in OTHERS.items():
            self.open({**ANSWER, **difference})
            self.assertEqual(self.text("title-first"), title)
            self.assertNotIn("never had the key", self.page.run("document.body.innerText"))
            self.check_contrast(self.page, name)
            self.look_at(self.page, f"page-{name}", whole=True)
        self.assertFalse(self.page.run("document.getElementById('leaf-client').checkVisibility()"))
        self.assertFalse(self.page.run("document.getElementById('counts').checkVisibility()"))

    def test_a_screen_reader_finds_its_way(self):
        self.page.look()
        self.open(ANSWER)
        tree = self.page.tree()
        roles = [role for role, _ in tree]
        for landmark in ("banner", "main", "contentinfo", "status"):
            self.assertIn(landmark, roles)
        for role, name in tree:
            if role in ("button", "link", "image", "region", "progressbar", "heading"):
                self.assertTrue(name.strip(), f"a {role} has no name: {tree}")
        levels = self.page.run("[...document.querySelectorAll('h1,h2,h3')].map((node) => Number(node.tagName[1]))")
        self.assertEqual(levels[0], 1)
        self.assertEqual(levels.count(1), 1)
        self.assertTrue(all(after - before <= 1 for before, after in zip(levels, levels[1:])), levels)
        self.assertEqual(self.page.run("document.documentElement.lang"), "en")

    def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(self):
        self.page.look()
        self.open(ANSWER)
        reached = []
        for _ in range(4):
            self.page.press("Tab")
            reached.append(self.page.run("document.activeElement.id || document.activeElement.className || document.activeElement.type"))
            outline = self.page.run("getComputedStyle(document.activeElement).outlineStyle")
            self.assertNotEqual(outline, "none", f"one cannot see that {reached[-1]} has the focus")
        self.assertEqual(reached, ["skip", "hello", "file", "submit"])

    def test_nothing_moves_for_those_who_want_it_still(self):
        self.page.look(motion="reduce")
        self.open(ANSWER)
        self.assertEqual(self.page.run("document.getAnimations().length"), 0)
        self.page.look()
        self.assertGreater(self.page.run("document.getAnimations().length"), 0)

    def test_it_asks_nobody_else_and_breaks_no_policy(self):
        self.page.look()
        self.page.requests.clear()
        self.open(ANSWER)
        self.page.wait("performance.getEntriesByType('resource').some((one) => one.name.endsWith('/keyward/alive'))")
        strangers = [url for url in self.page.requests if not url.startswith((self.system.url + "/", "about:"))]
        self.assertEqual(strangers, [])
        self.assertEqual(self.page.complaints, [])

    def test_saying_hello(self):
        self.page.look()
        self.open(ANSWER)
        self.page.run("document.getElementById('hello').click()")
        self.page.wait("document.getElementById('hello-answer').textContent.startsWith('200: “Hello World”')")


COVERED = "!!document.querySelector('#keyward-cover:modal')"


class Gone(SystemCase, PageChecks):
    """The server does not answer, and does again."""

    def setUp(self):
        super().setUp()
        self.system = self.start(*FLAGS)
        self.page = Page(self.base)
        self.addCleanup(self.page.close)
        self.page.look()
        self.page.open(self.system.url + "/")
        self.page.wait("document.getElementById('state')?.dataset.state === 'live'")

    def test_the_page_is_covered_and_comes_back_as_it_was(self):
        self.page.run("(window.mine = 'still here', document.getElementById('hello').focus())")
        [worker] = self.system.processes("web")
        mark = self.system.mark()
        os.kill(worker["pid"], signal.SIGSTOP)  # it is there, and says nothing
        try:
            self.page.wait(COVERED)
            self.check_cover()
        finally:
            os.kill(worker["pid"], signal.SIGCONT)
        self.page.wait("!" + COVERED)
        self.assertEqual(self.page.run("[window.mine, document.activeElement.id]"), ["still here", "hello"])
        away = self.system.wait_line(r"^web\[\d+\]: request .*path='/keyward/back/(\d+)' status=204", since=mark)
        self.assertGreater(int(away[1]), 0)
        self.assertNotRegex("\n".join(self.system.lines(since=mark)), r"path='/' ")

    def check_cover(self):
        for scheme in SCHEMES:
            for width, height in SIZES:
                self.page.look(scheme, width, height)
                name = f"cover-{scheme}-{width}"
                box = self.page.run("(({x, y, width, height}) => [x, y, width, height])"
                                    "(document.getElementById('keyward-cover').getBoundingClientRect())")
                self.assertEqual(box, [0, 0, width, height])
                self.assertEqual(self.page.run("document.elementFromPoint(20, 20).id"), "keyward-cover")
                self.look_at(self.page, name, whole=False)
        self.check_contrast(self.page, "cover")
        self.assertIn(("alertdialog", "One moment, please"), self.page.tree())
        self.assertNotIn("button", [role for role, _ in self.page.tree()], "what is covered can be reached")
        for _ in range(3):  # a dialog's cancel event alone stops only the first
            self.page.press("Escape")
        self.assertTrue(self.page.run(COVERED))
        words = self.page.run("document.getElementById('keyward-cover').innerText")
        self.assertIsNone(re.search(r"TLS|certificate|server|error|key|[45]\d\d", words), words)

    def test_a_worker_that_is_replaced_covers_nothing(self):
        self.page.run("document.addEventListener('keyward-lost', () => { window.lost = true; })")
        [worker] = self.system.processes("web")
        mark = self.system.mark()
        processes.kill(worker["pid"])
        self.system.wait_line(r"^web\[\d+\]: request .*path='/api/get' status=200", since=mark)
        self.assertIsNone(self.page.run("window.lost"))
