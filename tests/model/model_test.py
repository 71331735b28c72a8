"""The model of what keyd signs, searched in full, and each of its mutations, which has to be found out.

The search is complete (no bit-state hashing, nothing cut off), or the test fails. It prints how many states there were.
"""

import os
import re
import subprocess
import tempfile
import unittest

from keyward import runfile

MEMORY_MB = 1000
SEARCH_S = 300  # only a failing test waits for it

# The bounds that are searched: the browser's handle with everything around it, the same with more room in keyd's tables and
# less around them, and three handles.
TREE = ["-DHANDLES=3", "-DFLIGHT=1", "-DTRANSCRIPTS=1", "-DROOM=1"]
BOUNDS = {
    "browser": ["-DPIDS=2", "-DDEATHS=1", "-DROOM=1"],
    "tables": ["-DROOM=2"],
    "siblings": TREE,
    "chain": TREE + ["-DCHAIN=1"],
    "connections": [],
}

def run(command, directory):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SEARCH_S, check=False)
    return done.returncode, done.stdout


def search(model, defines):
    """What pan says of the model's whole state space."""
    with tempfile.TemporaryDirectory(prefix="keyward-model-") as directory:
        code, said = run(["spin", *defines, "-a", runfile(model)], directory)
        if code != 0 or not os.path.exists(os.path.join(directory, "pan.c")):
            raise AssertionError(f"spin refuses the model:\n{said}")
        code, said = run(["cc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"],
                         directory)
        if code != 0:
            raise AssertionError(f"cc refuses spin's program:\n{said}")
        return run(["./pan", "-m100000"], directory)[1]


def number(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return float(found[1]) if found else 0.0


class ModelCase(unittest.TestCase):
    def expect_no_violation(self, model, bounds):
        said = search(model, BOUNDS[bounds])
        self.assertIn("errors: 0", said)
        for incomplete in ("Search not completed", "max search depth too small", "reached -DMEMLIM", "BITSTATE"):
            self.assertNotIn(incomplete, said)
        for looked_for in (r"assertion violations\s+\+", r"invalid end states\s+\+"):
            self.assertRegex(said, looked_for)
        print(f"{bounds}: {number(r'^ *([0-9.e+]+) states, stored', said):,.0f} states, "
              f"{number(r'elapsed time ([0-9.]+)', said)} s, {number(r'([0-9.]+).total actual memory', said):.0f} MB",
              flush=True)

    def expect_each_mutation_found(self, model, shows_in):
        """shows_in: the bounds within which a mutation shows, by its name."""
        with open(runfile(model), encoding="ascii") as text:
            rows = re.search(r"leaves out\. \*/\n(.*?)#ifndef MUTATE", text.read(), re.DOTALL)[1]
        mutations = re.findall(r"^#define (\w+) (\d+) +/\* .* \*/$", rows, re.MULTILINE)
        self.assertEqual(len(mutations), len(rows.splitlines()))
        self.assertEqual([int(value) for _, value in mutations], list(range(1, len(mutations) + 1)))
        for name, value in mutations:
            with self.subTest(name):
                said = search(model, BOUNDS[shows_in(name)] + [f"-DMUTATE={value}"])
                self.assertRegex(said, r"pan:1: assertion violated", "not found")
                found = re.search(r"assertion violated +(.*) \(at depth", said)[1]
                print(f"{name}: found by {found}", flush=True)


class Handles(ModelCase):
    """What is signed."""

    MODEL = "tests/model/handle.pml"

    def test_no_interleaving_around_a_browsers_handle_breaks_the_policy(self):
        self.expect_no_violation(self.MODEL, "browser")

    def test_nor_any_of_what_keyd_remembers(self):
        self.expect_no_violation(self.MODEL, "tables")

    def test_nor_any_of_two_handles_derived_from_one(self):
        self.expect_no_violation(self.MODEL, "siblings")

    def test_nor_any_of_a_handle_derived_from_a_derived_one(self):
        self.expect_no_violation(self.MODEL, "chain")

    def test_each_mutation_is_found(self):
        """The chain is the quickest to search; a few show only around a browser's handle."""
        browsers = ("ANY_DIGEST", "ANY_SERVER", "PIN_AGAIN", "REMEMBERS")
        self.expect_each_mutation_found(self.MODEL, lambda name: "browser" if name in browsers else "chain")


class Revocation(ModelCase):
    """What is connected."""

    MODEL = "tests/model/revocation.pml"

    def test_nothing_is_open_once_the_operator_was_told(self):
        self.expect_no_violation(self.MODEL, "connections")

    def test_each_mutation_is_found(self):
        self.expect_each_mutation_found(self.MODEL, lambda name: "connections")
