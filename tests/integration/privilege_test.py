"""Whether these tests can show all that they are there to show."""

import unittest

import keyward


class Privilege(unittest.TestCase):
    def test_keyward_can_be_started_as_root_and_as_an_ordinary_user(self):
        self.assertTrue(
            keyward.is_root(),
            "needs root: only the cases that start Keyward as an ordinary user were run; run the tests as root for all",
        )
