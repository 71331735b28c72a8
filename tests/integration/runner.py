"""Runs one module of unittest cases and ends with "N passed, N failed", the line that CI counts.

A skipped test is a failed one: what cannot run here has not been shown.
"""

import importlib.util
import os
import signal
import sys
import unittest

import keyward


class CountingResult(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def load(path):
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main():
    signal.signal(signal.SIGTERM, keyward.end_all)  # Bazel's, when a test takes too long
    suite = unittest.defaultTestLoader.loadTestsFromModule(load(sys.argv[1]))
    selected = os.environ.get("TESTBRIDGE_TEST_ONLY")  # bazel test --test_filter
    if selected:
        suite = unittest.TestSuite(test for test in flatten(suite) if selected in test.id())
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=CountingResult).run(suite)
    # setUpClass and setUpModule fail as one for all of their tests, so errors may outnumber what ran.
    failed = len(result.failures) + len(result.errors) + len(result.skipped) + len(result.unexpectedSuccesses)
    failed = max(failed, suite.countTestCases() - result.passed)
    print(f"{result.passed} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and result.passed > 0 else 1


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


if __name__ == "__main__":
    sys.exit(main())
