"""Measures Keyward beside its peers, in one run: only ratios from one run count, and no bar fails anything.

bazel run //tests/bench -- [--quick] [--only SUBJECT,...]"""

import argparse
import os
import shutil
import signal
import sys
import traceback

import handshake
import idle
import keyward
import life
import report
import signing
import throughput

SUBJECTS = {
    "handshake": handshake.run,
    "resumed": handshake.resumed,
    "keys": handshake.keys,
    "files": throughput.files,
    "proxy": throughput.proxy,
    "idle": idle.run,
    "round-trip": signing.round_trip,
    "handles": signing.handles,
    "flood": signing.flood,
    "secret-memory": signing.secret_memory,
    "revocation": life.revocation,
    "audit": life.audit,
    "launch": life.launch,
    "memory": life.memory,
}


def parse():
    parser = argparse.ArgumentParser(description="Measures Keyward beside its peers.")
    parser.add_argument("--only", help=f"a comma between them: {', '.join(SUBJECTS)}")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works, not to quote")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--connections", type=int, default=500, help="in a round of handshakes, for each server")
    parser.add_argument("--parallel", type=int, default=4, help="handshakes at a time")
    parser.add_argument("--handles", type=int, default=10000)
    parser.add_argument("--idle", type=int, default=10000, help="connections that are kept")
    parser.add_argument("--seconds", type=int, default=1, help="that a round of requests takes, for each server")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.connections, options.idle = 3, 200, 2000
    names = options.only.split(",") if options.only else list(SUBJECTS)
    unknown = [name for name in names if name not in SUBJECTS]
    if unknown or options.rounds < 2:
        parser.error(f"no such subject: {', '.join(unknown)}" if unknown else "--rounds has to be 2 or more")
    return names, options


def main():
    names, options = parse()
    signal.signal(signal.SIGTERM, keyward.end_all)
    base = keyward.temporary_directory()
    try:
        for name in names:
            directory = os.path.join(base, name)
            os.mkdir(directory)
            os.chmod(directory, 0o755)
            SUBJECTS[name](directory, options)
    except BaseException:
        traceback.print_exc()
        keyward.end_all()  # whatever was started, and the temporary directory
    shutil.rmtree(base)
    report.summary()


if __name__ == "__main__":
    sys.exit(main())
