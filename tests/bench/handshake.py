"""Server CPU for a TLS 1.3 handshake with a client certificate and one GET.

Rounds take turns, the servers on one core and the load on the others."""

import os
import statistics

import life
import nginx
import report
import servers


def measure(subjects, client, options):
    """Returns {name: [microseconds a handshake, one for each round]}."""
    found = {subject.name: [] for subject in subjects}
    for subject in subjects:
        servers.pin(subject.pids)
        client.load(subject, 200, options.parallel)  # warm
    for number in range(options.rounds):
        # Each round begins with another server, so that none always follows the same neighbour.
        first = number % len(subjects)
        for subject in subjects[first:] + subjects[:first]:
            before = servers.cpu_ns(subject.pids)
            client.load(subject, options.connections, options.parallel)
            found[subject.name].append((servers.cpu_ns(subject.pids) - before) / 1000 / options.connections)
    return found


def compare(subjects, client, options, references):
    """Measures, prints a table with ratios to the references, and returns {reference: {name: median ratio}}."""
    try:
        found = measure(subjects, client, options)
    finally:
        for subject in subjects:
            subject.stop()
    rows = []
    for name, rounds in found.items():
        to = ["-" if other == name else report.spread(report.ratios(rounds, found[other]), 3) for other in references]
        rows.append([name, report.spread(rounds), *to])
    report.table(["", "us a handshake", *(f"to {other}" for other in references)], rows)
    return {other: {name: statistics.median(report.ratios(rounds, found[other])) for name, rounds in found.items()}
            for other in references}


def run(base, options):
    report.heading(f"Handshakes: server CPU, {options.rounds} rounds of {options.connections} connections, "
                   f"{options.parallel} at a time; median and quartiles")
    client = servers.Client(base)
    subjects = [
        servers.Keyward("keyward", base, client, keyd=servers.KNOWN_KEYD),
        servers.Keyward("handle out", base, client, keyd=servers.KNOWN_KEYD),
        servers.Keyward("the same client again", base, client, keyd=servers.KNOWN_KEYD),
        servers.Keyward("in-process", base, client, keyd=servers.KNOWN_KEYD, web=servers.IN_PROCESS_WEB),
        servers.Bare("bare", client),
        nginx.Nginx("nginx", base, client),
    ]
    report.note("In all rows but one, each connection is made by a client that the server has not seen before.")
    report.note("bare: nothing but BoringSSL and epoll.")
    subjects[2].clients = "same"
    with life.Lent(subjects[1].system):
        found = compare(subjects, client, options, ["in-process", "bare", "nginx"])
    report.bar("web and keyd, to the key in-process", found["in-process"]["keyward"], 1.10)
    report.bar("the same while a handle is lent, so that every handshake is foretold", found["in-process"]["handle out"],
               1.10)
    report.bar("web and keyd, to a bare server", found["bare"]["keyward"], 1.10)
    report.bar("the same for a client that comes again", found["bare"]["the same client again"], 1.0)
    report.bar("web and keyd, to nginx", found["nginx"]["keyward"], 0.42)


def resumed(base, options):
    report.heading(f"Resumed handshakes (tickets): server CPU, {options.rounds} rounds of {options.connections} "
                   f"connections, {options.parallel} at a time")
    client = servers.Client(base)
    subjects = [servers.Keyward("keyward", base, client), servers.Bare("bare", client),
                nginx.Nginx("nginx", base, client)]
    for subject in subjects:
        subject.clients = "resumed"
    found = compare(subjects, client, options, ["bare", "nginx"])
    report.bar("resumptions in a CPU second, to nginx", 1 / found["nginx"]["keyward"], 1.0, least=True)


def keys(base, options):
    report.heading("Handshakes with keys that an operator brings: server CPU, web and keyd together")
    client = servers.Client(base)
    kinds = {"P-256": {}, "P-384": {"curve": "P-384"}, "RSA-2048": {"rsa": 2048}, "RSA-3072": {"rsa": 3072},
             "RSA-4096": {"rsa": 4096}}
    subjects = []
    for name, kind in kinds.items():
        certificate, key = client.authority.leaf(f"server-{name}", profile="server", **kind)
        os.chmod(key, 0o600)
        chain = os.path.join(base, f"chain-{name}.pem")
        with open(chain, "wb") as out:
            for part in (certificate, client.authority.certificate):
                with open(part, "rb") as pem:
                    out.write(pem.read())
        subjects.append(servers.Keyward(name, base, client, "--server-certificate", chain, "--server-key", key))
    compare(subjects, client, options, ["P-256"])
