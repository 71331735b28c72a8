"""keyd alone: what a signature costs, and what others can do to it. The programs start keyd themselves and stand in the
broker's place; each writes lines "NAME P50 P99 MIN" in microseconds."""

import subprocess

import keyward
import report

KEYD = "keyd/keyd"
ORDINARY_KEYD = "tests/bench/keyd_ordinary_memory"


def run_program(name, *arguments):
    """Returns {name: [numbers]}."""
    done = subprocess.run([keyward.runfile(f"tests/bench/{name}"), *map(str, arguments)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return read_times(done.stdout)


def read_times(said):
    return {words[0]: [float(word) for word in words[1:]] for words in map(str.split, said.splitlines())}


def print_times(found, names=None):
    report.table(["us", "p50", "p99", "min"],
                 [[name, *(f"{number:.1f}" for number in found[name])] for name in names or found])


def round_trip(_, options):
    report.heading("A lone signature (P-256): in this process, and asked of keyd")
    found = run_program("round_trip", options.rounds * 20, keyward.runfile(KEYD))
    print_times(found)
    ratio = found["same-core"][0] / found["in-process"][0]
    report.bar("p50 of keyd on the same core, to the signature alone", ratio, 1.6)


def handles(_, options):
    report.heading(f"A worker's signature while {options.handles} handles are out")
    found = run_program("many_handles", keyward.runfile(KEYD), options.handles, options.rounds * 10)
    print_times(found)
    report.bar("keyd's CPU time for a signature, to that with none", found["many-cpu"][0] / found["one-cpu"][0], 1.05)


def flood(_, options):
    report.heading("A good peer's lone signatures beside a bad one that floods")
    found = run_program("flood", keyward.runfile(KEYD), 200 * options.rounds)
    print_times(found)
    report.note("malformed: 900 channels, each cut for its first packet; refused: well-formed, for nothing expected;")
    report.note("valid: as many server signatures as can be had; unread: the same, and no answer is ever taken")


def secret_memory(_, options):
    report.heading("Secret memory: keyd's heap and stack in memfd_secret, and a build with them in ordinary memory")
    found = run_program("round_trip", options.rounds * 20, keyward.runfile(KEYD), keyward.runfile(ORDINARY_KEYD))
    print_times({"secret": found["same-core"], "ordinary": found["same-core-2"]})
    report.note(f"secret to ordinary, p50: {found['same-core'][0] / found['same-core-2'][0]:.3f}")
