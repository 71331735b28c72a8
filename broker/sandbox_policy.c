#include "broker/sandbox_policy.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/sandbox_rules.h"

/* clang-format off */
static const struct sandbox_rule broker_rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_LOG, /* poll is the loop's as well */
    SANDBOX_RULES_CHANNEL,
    SANDBOX_ROW(read, "signals from the signalfd; files of /proc, for status"),
    SANDBOX_ROW_IF(socketpair, "makes channels",
                   SANDBOX_IS(0, AF_UNIX), SANDBOX_MASKED(1, 0xff, SOCK_SEQPACKET)),
    SANDBOX_ROW(accept4, "clients of the control socket"),
    SANDBOX_ROW(getsockopt, "who a control client is; whether the shim's listener is what it has to be"),
    SANDBOX_ROW_IF(setsockopt, "has the kernel name the senders on keyd's channels",
                   SANDBOX_IS_INT(1, SOL_SOCKET), SANDBOX_IS_INT(2, SO_PASSCRED)),
    SANDBOX_ROW(getsockname, "where the shim's listener listens"),
    SANDBOX_ROW_IF(fcntl, "makes the shim's listener non-blocking", SANDBOX_IS_INT(1, F_SETFL)),
    SANDBOX_ROW_IF(fcntl, "reads a descriptor's flags", SANDBOX_IS_INT(1, F_GETFL)),
    SANDBOX_ROW_IF(fcntl, "keeps what two configurations share: the count of uploads, keys", SANDBOX_IS_INT(1, F_DUPFD_CLOEXEC)),
    SANDBOX_ROW_IF(fcntl, "seals the copy of the client CAs", SANDBOX_IS_INT(1, F_ADD_SEALS)),
    SANDBOX_ROW(memfd_create, "a copy of the client CAs for each worker, with an offset of its own; the keys of session tickets"),
    SANDBOX_ROW(writev, "appends to the audit log"),
    SANDBOX_ROW(pwrite64, "writes that copy"),
    SANDBOX_ROW_IF(openat, "reads /proc for status; Landlock leaves nothing else to read",
                   SANDBOX_WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)),
    SANDBOX_ROW_IF(openat, "the access log again, when it was rotated; Landlock leaves its directory alone",
                   SANDBOX_IS_INT(2, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)),
    SANDBOX_ROW(newfstatat, "libc looks at a directory before it reads it"),
    SANDBOX_ROW(fstat, "libc looks at a directory before it reads it"),
    SANDBOX_ROW(lseek, "libc gives back what it read ahead when it closes a file"),
    SANDBOX_ROW(readlinkat, "compares namespaces, where the kernel lets it"),
    SANDBOX_ROW(unlinkat, "removes the control socket at the end; Landlock leaves only the runtime directory"),
    SANDBOX_ROW(getpid, "finds its own row of the status"),
    SANDBOX_ROW(wait4, "reaps the spawner at the end"),

    /* From here on only where there are applications: CONNECT_ROWS. */
#define STREAM (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    SANDBOX_ROW_IF(socket, "a connection to an application on this machine",
                   SANDBOX_IS_INT(0, AF_UNIX), SANDBOX_IS_INT(1, STREAM), SANDBOX_IS_INT(2, 0)),
    SANDBOX_ROW_IF(socket, "a connection to an application over loopback TCP",
                   SANDBOX_IS_INT(0, AF_INET), SANDBOX_IS_INT(1, STREAM), SANDBOX_IS_INT(2, 0)),
    SANDBOX_ROW_IF(socket, "a connection to an application over loopback TCP",
                   SANDBOX_IS_INT(0, AF_INET6), SANDBOX_IS_INT(1, STREAM), SANDBOX_IS_INT(2, 0)),
    SANDBOX_ROW_IF(connect, "to an application; its address is in memory, out of a filter's sight: the path of a Unix socket "
                            "is up to the file system's rights, as Landlock (to ABI 7) has none for it",
                   SANDBOX_IS_INT(2, sizeof(struct sockaddr_un))),
    SANDBOX_ROW_IF(connect, "to an application; which port, Landlock decides (kernels from 6.7)",
                   SANDBOX_IS_INT(2, sizeof(struct sockaddr_in))),
    SANDBOX_ROW_IF(connect, "to an application; which port, Landlock decides (kernels from 6.7)",
                   SANDBOX_IS_INT(2, sizeof(struct sockaddr_in6))),
};

enum { CONNECT_ROWS = 6 };

static const struct sandbox_rule audit_rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_LOG,
    SANDBOX_ROW_IF(write, "what the log says", SANDBOX_IS(0, STDOUT_FILENO)),
    SANDBOX_ROW(read, "the log"),
    SANDBOX_ROW(close, "the log's end"),
    SANDBOX_ROW(fstat, "libc asks what standard output is"),
    SANDBOX_ROW(newfstatat, "libc asks what standard output is"),
    SANDBOX_ROW(lseek, "libc, when the program ends"),
};

static const struct sandbox_rule loader_rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_LOG, /* poll waits for the broker as well */
    SANDBOX_ROW(sendmsg, "hands over what it has opened; it hears nobody"),
    SANDBOX_ROW_IF(openat, "what the command line and the configuration name, to read it; Landlock leaves nothing to write",
                   SANDBOX_WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH)),
    SANDBOX_ROW(read, "looks whether the files hold what they should"),
    SANDBOX_ROW(close, "each file, when it is handed over"),
    SANDBOX_ROW(fstat, "whether it is a file, whose, and who may read it"),
    SANDBOX_ROW(newfstatat, "libc's way to do that"),
    SANDBOX_ROW(lseek, "libc gives back what it read ahead when it closes a file"),
    SANDBOX_ROW_IF(fcntl, "libc asks how the configuration was opened", SANDBOX_IS_INT(1, F_GETFL)),
    SANDBOX_ROW(geteuid, "whether a key file is its owner's"),
    SANDBOX_ROW(getegid, "who it was, before it asks as another"),
    SANDBOX_ROW(getgroups, "who it was, before it asks as another"),
    SANDBOX_ROW(setgroups, "asks as web's user"),
    SANDBOX_ROW(setfsuid, "asks as web's user, for files alone: it can become nobody else"),
    SANDBOX_ROW(setfsgid, "asks as web's user, for files alone"),
    SANDBOX_ROW(faccessat2, "asks whether that user may use a directory"),
};

static const struct sandbox_rule spawner_rules[] = {
    SANDBOX_ROW_EPERM(ptrace, "nobody here debugs anybody"),
    SANDBOX_ROW_EPERM(process_vm_readv, "nobody reads another's memory"),
    SANDBOX_ROW_EPERM(process_vm_writev, "nobody writes another's memory"),
    SANDBOX_ROW_EPERM(pidfd_getfd, "descriptors travel over channels only"),
    SANDBOX_ROW_EPERM(kcmp, "tells about other processes"),
    SANDBOX_ROW_EPERM(open_by_handle_at, "goes round the directories that were given"),
    SANDBOX_ROW_EPERM(bpf, "programs for the kernel"),
    SANDBOX_ROW_EPERM(perf_event_open, "watches other processes; a large attack surface"),
    SANDBOX_ROW_EPERM(userfaultfd, "holds the kernel up; a helper of exploits"),
    SANDBOX_ROW_EPERM(io_uring_setup, "system calls that a filter does not see"),
    SANDBOX_ROW_EPERM(io_uring_enter, "system calls that a filter does not see"),
    SANDBOX_ROW_EPERM(io_uring_register, "system calls that a filter does not see"),
    SANDBOX_ROW_EPERM(add_key, "the kernel's keyrings are no place for our keys"),
    SANDBOX_ROW_EPERM(request_key, "the kernel's keyrings are no place for our keys"),
    SANDBOX_ROW_EPERM(keyctl, "the kernel's keyrings are no place for our keys"),
    SANDBOX_ROW_EPERM(init_module, "kernel modules"),
    SANDBOX_ROW_EPERM(finit_module, "kernel modules"),
    SANDBOX_ROW_EPERM(delete_module, "kernel modules"),
    SANDBOX_ROW_EPERM(kexec_load, "another kernel"),
    SANDBOX_ROW_EPERM(kexec_file_load, "another kernel"),
    SANDBOX_ROW_EPERM(reboot, "the machine is not ours"),
    SANDBOX_ROW_EPERM(swapon, "the machine is not ours"),
    SANDBOX_ROW_EPERM(swapoff, "the machine is not ours"),
    SANDBOX_ROW_EPERM(acct, "the machine is not ours"),
    SANDBOX_ROW_EPERM(quotactl, "the machine is not ours"),
    SANDBOX_ROW_EPERM(settimeofday, "certificates hang on the clock"),
    SANDBOX_ROW_EPERM(clock_settime, "certificates hang on the clock"),
    SANDBOX_ROW_EPERM(adjtimex, "certificates hang on the clock"),
    SANDBOX_ROW_EPERM(clock_adjtime, "certificates hang on the clock"),
    SANDBOX_ROW_EPERM(syslog, "the kernel's messages tell addresses"),
    SANDBOX_ROW_EPERM(iopl, "bare hardware"),
    SANDBOX_ROW_EPERM(ioperm, "bare hardware"),
    SANDBOX_ROW_EPERM(vhangup, "somebody else's terminal"),
    SANDBOX_ROW_EPERM(move_pages, "another process's memory"),
    SANDBOX_ROW_EPERM(migrate_pages, "another process's memory"),
    SANDBOX_ROW_EPERM(fanotify_init, "watches other processes' files"),
    SANDBOX_ROW_EPERM(lookup_dcookie, "watches other processes' files"),
    SANDBOX_ROW_EPERM(personality, "turns off address randomisation"),
};
/* clang-format on */

const struct sandbox_policy broker_policy = {
    .process = "broker",
    .others = SANDBOX_KILL_OTHERS,
    .rules = broker_rules,
    .num_rules = sizeof broker_rules / sizeof *broker_rules - CONNECT_ROWS,
};

const struct sandbox_policy broker_connecting_policy = {
    .process = "broker",
    .others = SANDBOX_KILL_OTHERS,
    .rules = broker_rules,
    .num_rules = sizeof broker_rules / sizeof *broker_rules,
};

const struct sandbox_policy audit_policy = {
    .process = "broker audit",
    .others = SANDBOX_KILL_OTHERS,
    .rules = audit_rules,
    .num_rules = sizeof audit_rules / sizeof *audit_rules,
};

const struct sandbox_policy loader_policy = {
    .process = "loader",
    .others = SANDBOX_KILL_OTHERS,
    .rules = loader_rules,
    .num_rules = sizeof loader_rules / sizeof *loader_rules,
    .capabilities = 1u << CAP_DAC_READ_SEARCH | 1u << CAP_SETUID | 1u << CAP_SETGID,
};

const struct sandbox_policy spawner_policy = {
    .process = "spawner",
    .others = SANDBOX_ALLOW_OTHERS,
    .rules = spawner_rules,
    .num_rules = sizeof spawner_rules / sizeof *spawner_rules,
};
