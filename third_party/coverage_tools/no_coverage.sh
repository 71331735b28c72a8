#!/bin/sh
echo "coverage reports are not set up; use gcov on a build with --copt=--coverage" >&2
exit 1
