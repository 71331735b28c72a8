"""Writes the corpus of whole_fuzz into the directory given: python3 tests/fuzz/keyd/whole_seeds.py tests/fuzz/keyd/corpus/whole

One line of a seed is one step, as whole_fuzz.c reads it."""

import os
import sys

(GRANT, REVOKE, ASK_SERVER, TELL, ASK_DIGEST, ASK_CLIENT, PIN, DESCRIBE, RAW, CLOCK, CLOSE, DEAF, DEAF_BROKER) = range(13)
SERVER, CLIENT, BROWSER = range(3)
LATER = 0x80  # keyd does not look before the next step
MS_1, MS_100, MS_999, MS_1000, MS_2999, MS_4999, MS_5000, MS_60000 = range(8)


def grant(slot, purpose, limits=0, parent=None):
    return [GRANT, slot, purpose | (0 if parent is None else 0x80 | parent << 4), limits]


def limits(lifetime=0, maximum=0, rate=0, pid=0):
    """Which of the fuzz target's four values of each."""
    return lifetime | maximum << 2 | rate << 4 | pid << 6


def by(slot, pid):
    return slot | pid << 3


def shake(slot=0, hello=0):
    return [ASK_SERVER, slot, hello, TELL, slot, 0, 0]


def digest(slot, pid, which=0, how=0):
    return [ASK_DIGEST, by(slot, pid), which, how]


def client(slot, pid, which=0, how=0):
    return [ASK_CLIENT, by(slot, pid), which, how]


START = grant(0, SERVER) + grant(1, BROWSER) + [PIN, by(1, 1)]

SEEDS = {
    "browser": START + shake() + digest(1, 1) + digest(1, 1, 1) + shake() + digest(1, 1, 0, 1) + digest(1, 2),
    "late": START + shake() + [CLOCK, MS_5000] + digest(1, 1) + [ASK_SERVER, 0, 1, CLOCK, MS_5000, TELL, 0, 0, 0] + digest(1, 1),
    "derived": grant(0, SERVER) + grant(1, BROWSER, limits(maximum=2)) + [PIN, by(1, 1)] + grant(2, BROWSER, limits(maximum=1), 1)
    + grant(3, BROWSER, 0, 1) + shake() + digest(2, 1) + shake() + digest(2, 1) + digest(3, 1) + shake() + digest(3, 1)
    + [REVOKE, 1] + shake() + digest(3, 1),
    "client": grant(0, SERVER) + grant(1, CLIENT, limits(3, 2, 2)) + [ASK_SERVER, 0, 2] + client(1, 1) + client(1, 1, 0, 2)
    + client(1, 1, 0, 9) + [TELL, 0, 0, 0] + client(1, 2) + client(1, 2),
    "queued": START + [ASK_SERVER, 0, 0, TELL, LATER, 0, 0, ASK_DIGEST, LATER | by(1, 1), 0, 0, REVOKE, 1],
    "browser_first": START + [ASK_SERVER, 0, 0, DESCRIBE, LATER | by(1, 1), TELL, LATER, 0, 0] + digest(1, 1),
    "deaf": START + [DEAF, 0] + [ASK_SERVER, 0, 0] * 20 + [TELL, 0, 0, 0] + digest(1, 1) + [DEAF, 0] + digest(1, 1),
    "deaf_broker": START + [DEAF_BROKER, 0] + (shake() + digest(1, 1)) * 70 + [DEAF_BROKER, 0] + shake() + digest(1, 1),
    "hostile": grant(0, SERVER) + grant(1, BROWSER) + grant(4, CLIENT) + [RAW, 0, 4, 255, 255, 255, 255, RAW, 1, 3, 8, 5, 1,
                                                                        RAW, 4, 2, 82, 0, CLOSE, 0] + grant(0, SERVER) + shake(),
    "expires": grant(0, SERVER) + grant(1, BROWSER, limits(lifetime=1)) + [PIN, by(1, 1)] + shake() + [CLOCK, MS_999] + digest(1, 1)
    + shake() + [CLOCK, MS_1] + digest(1, 1),
    "rate": grant(0, SERVER) + grant(1, BROWSER, limits(rate=1)) + [PIN, by(1, 1)] + (shake() + digest(1, 1)) * 4
    + [CLOCK, MS_1000] + shake() + digest(1, 1),
    "other_channel": START + grant(2, SERVER) + [ASK_SERVER, 0, 0, TELL, 2, 0, 0] + digest(1, 1) + [TELL, 0, 0, 0] + digest(1, 1),
    "server_gone": START + grant(2, SERVER) + shake(2) + [REVOKE, 2] + digest(1, 1) + shake() + digest(1, 1),
    "worker_expires": grant(0, SERVER, limits(lifetime=1)) + grant(1, BROWSER) + [PIN, by(1, 1), ASK_SERVER, 0, 0, CLOCK, MS_1000,
                                                                                   TELL, 0, 0, 0] + digest(1, 1),
    "pinned": grant(0, SERVER) + grant(1, BROWSER, limits(pid=2)) + [PIN, by(1, 2)] + shake() + digest(1, 2) + digest(1, 1),
}

for name, steps in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), "wb") as out:
        out.write(bytes(steps))
