"""What the client key signs: handshakes with this system's own server, and nothing that a handle's holder makes up."""

import os
import re
import shutil

import processes
from keyward import System, SystemCase, is_root, runfile

CHROMIUM = "/usr/lib/chromium/chromium"
REFUSED = r"^broker: handle refused id=\d+ label='browser' .*reason='no handshake with this system\\x27s server waits"


class SystemWithAnotherBrowser(System):
    """Started where another program stands at Chromium's path, which nobody else sees."""

    def __init__(self, base, browser, *flags):
        super().__init__(base, *flags)
        self.browser = browser

    def as_user(self, arguments):
        script = 'mount --bind "$0" "$1" && shift && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, self.browser, CHROMIUM, *super().as_user(arguments)]


class Holder(SystemCase):
    """Only root can put another program in the browser's place."""

    def setUp(self):
        self.assertTrue(is_root(), "needs root: puts another program in the browser's place; run the tests as root")
        self.holder = shutil.copy(runfile("tests/integration/holder"), os.path.join(self.base, "holder"))
        os.chmod(self.holder, 0o755)

    def test_a_digest_of_its_own_making_is_refused_and_reported(self):
        system = SystemWithAnotherBrowser(self.base, self.holder, "--listen", "127.0.0.1:0", "--browser",
                                          "chromium", "--headless")
        system.start()
        self.addCleanup(self._finish, system)
        mark = 0
        for _ in range(3):  # it asks three times
            system.wait_line(REFUSED, since=mark)
            mark = next(i for i, line in enumerate(system.lines()) if i >= mark and re.search(REFUSED, line)) + 1
        handle = lambda: [h for h in system.status()["handles"] if h["purpose"] == "browser-digest"][0]
        processes.wait_until(lambda: handle()["refusals"] == 3, 10, lambda: str(handle()))
        self.assertEqual(handle()["signatures"], 0)
        self.assertNotIn("handle signed", system.log())
