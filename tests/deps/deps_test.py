"""The absences that ARCHITECTURE.md promises about who is linked into whom."""

import os
import unittest

ROOMS = ("//broker", "//keyd", "//web", "//browser-shim")


def deps_of(program):
    path = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], "tests/deps", program + "_deps")
    with open(path, encoding="utf-8") as lines:
        return lines.read().split()


def beneath(labels, place):
    """Those of labels that are in the package or repository place, or below it."""
    return [label for label in labels if label.startswith((place + ":", place + "/"))]


class Deps(unittest.TestCase):
    def expect_only_room(self, program, own):
        deps = deps_of(program)
        self.assertNotEqual(beneath(deps, own), [], "its own room, or the query has lost its object")
        for room in ROOMS:
            if room != own:
                self.assertEqual(beneath(deps, room), [], f"{program} depends on {room}")

    def expect_nothing_of(self, program, place):
        self.assertEqual(beneath(deps_of(program), place), [], f"{program} depends on {place}")

    def test_broker(self):
        self.expect_only_room("broker", "//broker")

    def test_keyd(self):
        self.expect_only_room("keyd", "//keyd")

    def test_web(self):
        self.expect_only_room("web", "//web")

    def test_browser_shim(self):
        self.expect_only_room("browser-shim", "//browser-shim")

    def test_module(self):
        self.expect_only_room("module", "//browser-shim")

    def test_no_boringssl_where_no_cryptography_belongs(self):
        self.assertNotEqual(beneath(deps_of("keyd"), "@boringssl/"), [], "keyd signs with it")
        self.expect_nothing_of("module", "@boringssl/")

    def test_no_tls_in_the_broker(self):
        """It hashes its audit log and verifies signatures; it speaks with nobody."""
        self.assertNotIn("@boringssl//:ssl", deps_of("broker"))
        self.assertIn("@boringssl//:ssl", deps_of("web"))

    def test_no_http_parser_beside_the_keys(self):
        parsers = {"//third_party/debian:http_parser", "//third_party/debian:nghttp2"}
        for program in ("keyd", "broker"):
            self.assertEqual(parsers & set(deps_of(program)), set(), program)
        self.assertEqual(parsers & set(deps_of("web")), parsers)

    def test_nothing_of_the_tests_ships(self):
        for program in ("broker", "keyd", "web", "browser-shim", "module"):
            self.expect_nothing_of(program, "//tests")
