"""Counts the test cases of one `bazel test` run from its build events, and says "N passed, N failed".

A target is not a test case: what its log says is counted, Criterion's synthesis and the "N passed, N failed" of our own
runners. What the running kernel cannot show ("SKIPPED: why") is named and counted apart. A target that failed without
saying so (a crash, a time-out) or that counted nothing is one failure, and so is a build that did not get as far as its
tests.
"""

import argparse
import json
import re
import sys
import urllib.parse
import urllib.request

CRITERION = re.compile(r"Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")
SKIPPED = re.compile(r"^SKIPPED: (.*)$", re.MULTILINE)
RUNNER = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def count_log(text):
    """Returns (passed, failed) as the log of one target has them."""
    text = ESCAPES.sub("", text)
    passed = failed = 0
    for _, passing, failing, crashing in CRITERION.findall(text):
        passed += int(passing)
        failed += int(failing) + int(crashing)
    for passing, failing in RUNNER.findall(text):
        passed += int(passing)
        failed += int(failing)
    return passed, failed


def count_target(label, status, text):
    """Returns (passed, failed) of one target, and a remark or None."""
    passed, failed = count_log(text)
    if status not in ("PASSED", "FLAKY"):
        return passed, max(failed, 1), f"{label}: {status}, {passed} passed, {max(failed, 1)} failed"
    if passed + failed == 0:
        return 0, 1, f"{label}: {status}, but its log counts no test case"
    if failed:
        return passed, failed, f"{label}: {status}, but its log counts {failed} failed"
    return passed, failed, None


def read_results(lines):
    """Yields (label, status, address of the log) for the last attempt of each test that ran."""
    last = {}
    for line in lines:
        event = json.loads(line)
        identity = event.get("id", {}).get("testResult")
        if identity is None or "testResult" not in event:
            continue
        result = event["testResult"]
        logs = [output["uri"] for output in result.get("testActionOutput", []) if output["name"] == "test.log"]
        key = (identity["label"], identity.get("run"), identity.get("shard"))
        last[key] = (identity["label"], result.get("status", "NO_STATUS"), logs[0] if logs else None)
    return last.values()


def read_log(uri):
    if uri is None:
        return ""
    path = urllib.request.url2pathname(urllib.parse.urlparse(uri).path)
    with open(path, encoding="utf-8", errors="replace") as log:
        return log.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bazel-status", type=int, required=True)
    parser.add_argument("events")
    arguments = parser.parse_args()

    total_passed = total_failed = total_skipped = 0
    with open(arguments.events, encoding="utf-8") as events:
        for label, status, uri in read_results(events):
            text = ESCAPES.sub("", read_log(uri))
            passed, failed, remark = count_target(label, status, text)
            for reason in SKIPPED.findall(text):
                total_skipped += 1
                print(f"{label}: skipped, {reason}")
            total_passed += passed
            total_failed += failed
            if remark:
                print(remark)
    if total_failed == 0 and (arguments.bazel_status != 0 or total_passed == 0):
        print(f"bazel exited with {arguments.bazel_status}; {total_passed} test cases were counted")
        total_failed += 1
    skipped = f", {total_skipped} skipped" if total_skipped else ""
    print(f"{total_passed} passed, {total_failed} failed{skipped}")
    return 0 if total_failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
