"""A real Chromium with a client key that an operator brings, behind a server that has one, too."""

import brought

from keyward import users

FETCHED = r"^web\[\d+\]: request .*path='/api/get' status=200 .*subject='[^']*CN=client %s"
BROWSER_S = 30


class Page(brought.BroughtCase):
    uid = users()[-1]

    def expect_page(self, server, client):
        system = self.start("--listen", "127.0.0.1:0", "--browser", "chromium", "--headless", *self.server(server),
                            *self.client(client), uid=self.uid)
        system.wait_line(FETCHED % client, BROWSER_S)
        [handle] = [h for h in system.status()["handles"] if h["purpose"] == "browser-digest"]
        self.assertGreaterEqual(handle["signatures"], 1)
        self.assertEqual(handle["refusals"], 0)

    def test_with_an_rsa_key(self):
        self.expect_page("p384", "rsa2048")

    def test_with_a_p384_key(self):
        self.expect_page("rsa3072", "p384")
