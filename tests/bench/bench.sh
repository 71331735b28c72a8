#!/bin/sh
# bazel run //tests/bench -- [--help]. Bazel starts it at the top of the runfiles.
set -eu
PYTHONPATH="$PWD/tests/integration" PYTHONDONTWRITEBYTECODE=1
TEST_SRCDIR=$(dirname "$PWD")
TEST_WORKSPACE=$(basename "$PWD")
export PYTHONPATH PYTHONDONTWRITEBYTECODE TEST_SRCDIR TEST_WORKSPACE
exec python3 tests/bench/bench.py "$@"
