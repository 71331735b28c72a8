#!/bin/sh
# Runs one module of Python tests: run.sh MODULE. Bazel starts it at the top of the runfiles.
set -eu
export PYTHONPATH="$PWD/tests/integration" PYTHONDONTWRITEBYTECODE=1
exec python3 tests/integration/runner.py "$1"
