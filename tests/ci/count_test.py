"""What CI's last line counts, and what it must not let pass."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest

COUNT = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], ".ci/count.py")

SYNTHESIS = "[\x1b[0;34m====\x1b[0m] \x1b[0;1mSynthesis: Tested: {} | Passing: {} | Failing: {} | Crashing: {} \x1b[0m\n"


def load_count():
    spec = importlib.util.spec_from_file_location("count", COUNT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class CountLog(unittest.TestCase):
    def setUp(self):
        self.count = load_count()

    def test_criterion_with_colours(self):
        self.assertEqual(self.count.count_log(SYNTHESIS.format(9, 6, 2, 1)), (6, 3))

    def test_runner_line(self):
        self.assertEqual(self.count.count_log("noise\n12 passed, 1 failed\n"), (12, 1))

    def test_words_inside_a_line_do_not_count(self):
        self.assertEqual(self.count.count_log("it said 12 passed, 1 failed\n"), (0, 0))


class WholeRun(unittest.TestCase):
    def run_count(self, targets, bazel_status=0):
        """targets: (label, status, log). Returns the exit code and the last line."""
        with tempfile.TemporaryDirectory() as directory:
            events = os.path.join(directory, "events.json")
            with open(events, "w", encoding="utf-8") as out:
                for number, (label, status, log) in enumerate(targets):
                    path = os.path.join(directory, f"{number}.log")
                    with open(path, "w", encoding="utf-8") as log_file:
                        log_file.write(log)
                    result = {"status": status, "testActionOutput": [{"name": "test.log", "uri": "file://" + path}]}
                    identity = {"testResult": {"label": label, "run": 1, "shard": 1, "attempt": 1}}
                    out.write(json.dumps({"id": identity, "testResult": result}) + "\n")
                out.write(json.dumps({"id": {"buildFinished": {}}, "finished": {}}) + "\n")
            done = subprocess.run(
                [sys.executable, COUNT, "--bazel-status", str(bazel_status), events],
                stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_sums_over_targets(self):
        targets = [("//a:t", "PASSED", SYNTHESIS.format(3, 3, 0, 0)), ("//b:t", "PASSED", "4 passed, 0 failed\n")]
        self.assertEqual(self.run_count(targets), (0, "7 passed, 0 failed"))

    def test_what_was_skipped_is_said(self):
        log = "SKIPPED: this kernel has no memfd_secret\n" + SYNTHESIS.format(1, 1, 0, 0)
        self.assertEqual(self.run_count([("//a:t", "PASSED", log)]), (0, "1 passed, 0 failed, 1 skipped"))

    def test_a_target_that_crashed_is_a_failure(self):
        targets = [("//a:t", "PASSED", "4 passed, 0 failed\n"), ("//b:t", "TIMEOUT", "")]
        self.assertEqual(self.run_count(targets, 3), (1, "4 passed, 1 failed"))

    def test_a_target_that_counts_nothing_is_a_failure(self):
        targets = [("//a:t", "PASSED", "4 passed, 0 failed\n"), ("//b:t", "PASSED", "fine\n")]
        self.assertEqual(self.run_count(targets), (1, "4 passed, 1 failed"))

    def test_a_build_that_failed_is_a_failure(self):
        self.assertEqual(self.run_count([("//a:t", "PASSED", "4 passed, 0 failed\n")], 1), (1, "4 passed, 1 failed"))

    def test_nothing_counted_is_a_failure(self):
        self.assertEqual(self.run_count([]), (1, "0 passed, 1 failed"))
