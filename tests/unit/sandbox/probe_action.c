#include "tests/unit/sandbox/probe_action.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

#define PAGE 4096
#define X32_CALL_BIT 0x40000000

static struct sockaddr_in scene_loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = port, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static enum err scene_listen(uint16_t *out_port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = scene_loopback(0);
    socklen_t len = sizeof(address);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return ERR_SYSTEM;
    }
    *out_port = address.sin_port;
    return ERR_OK;
}

/* The target ends when the process that tries the action has ended, however: then the pipe's other end is closed.
 * (PR_SET_PDEATHSIG would not do: Landlock's signal scope holds back the signal of a parent inside a sandbox.) */
static pid_t scene_start_target(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    const pid_t target = fork();
    if (target != 0) {
        close(ends[0]);
        return target;
    }
    char byte;
    close(ends[1]);
    alarm(0);
    while (read(ends[0], &byte, 1) < 0) {
    }
    _exit(0);
}

enum err probe_scene_open(struct probe_scene *out, enum probe_action action)
{
    static uint64_t secret = 0x6b657977617264;
    *out = (struct probe_scene){.action = action, .uid = getuid(), .secret = &secret};
    out->target = scene_start_target();
    out->target_pidfd = out->target < 0 ? -1 : (int)syscall(SYS_pidfd_open, out->target, 0);
    out->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    out->program = open("/bin/true", O_PATH | O_CLOEXEC);
    out->writable = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (out->target_pidfd < 0 || out->socket < 0 || out->program < 0 || out->writable == MAP_FAILED) return ERR_SYSTEM;
    memset(out->writable, 0xc3, PAGE);
    return scene_listen(&out->port);
}

/* result of a raw call, as -errno or a value. */
static long outcome(long result)
{
    return result == -1 ? -errno : result;
}

static long act_connect(const struct probe_scene *scene)
{
    const struct sockaddr_in address = scene_loopback(scene->port);
    return outcome(syscall(SYS_connect, scene->socket, &address, sizeof(address)));
}

static long act_bind(const struct probe_scene *scene)
{
    const struct sockaddr_in address = scene_loopback(0);
    return outcome(syscall(SYS_bind, scene->socket, &address, sizeof(address)));
}

/* A program that really starts ends with 0 and leaves the report as it was: allowed. */
static long act_exec(const struct probe_scene *scene)
{
    static char name[] = "true";
    char *const argv[] = {name, NULL};
    char *const envp[] = {NULL};
    if (scene->action == PROBE_EXECVE) return outcome(syscall(SYS_execve, "/bin/true", argv, envp));
    return outcome(syscall(SYS_execveat, scene->program, "", argv, envp, AT_EMPTY_PATH));
}

static long act_fork(const struct probe_scene *scene)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    long child;
    if (scene->action == PROBE_FORK)
        child = syscall(SYS_fork);
    else if (scene->action == PROBE_CLONE)
        child = syscall(SYS_clone, SIGCHLD, 0, NULL, NULL, 0);
    else
        child = syscall(SYS_clone3, &args, sizeof(args));
    if (child == 0) syscall(SYS_exit_group, 0);
    return outcome(child);
}

static long act_process_vm(const struct probe_scene *scene)
{
    uint64_t copy = 1;
    struct iovec here = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct iovec there = {.iov_base = scene->secret, .iov_len = sizeof(copy)};
    const long call = scene->action == PROBE_PROCESS_VM_READV ? SYS_process_vm_readv : SYS_process_vm_writev;
    return outcome(syscall(call, scene->target, &here, 1ul, &there, 1ul, 0ul));
}

static long act_mmap_exec(void)
{
    const long at = syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
    return at == -1 ? -errno : 0;
}

static long act_bpf(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = sizeof(uint32_t);
    attr.max_entries = 1;
    return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static long act_io_uring(void)
{
    struct io_uring_params params;
    memset(&params, 0, sizeof(params));
    return outcome(syscall(SYS_io_uring_setup, 1, &params));
}

static long act_perf(void)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_SW_CPU_CLOCK;
    attr.exclude_kernel = 1;
    return outcome(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

long probe_scene_act(void *context)
{
    const struct probe_scene *scene = context;
    switch (scene->action) {
    case PROBE_OPEN: return outcome(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
    case PROBE_OPEN_LEGACY: return outcome(syscall(SYS_open, "/", O_RDONLY | O_DIRECTORY));
    case PROBE_SOCKET: return outcome(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
    case PROBE_SOCKET_UNIX: return outcome(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
    case PROBE_CONNECT: return act_connect(scene);
    case PROBE_BIND: return act_bind(scene);
    case PROBE_EXECVE:
    case PROBE_EXECVEAT: return act_exec(scene);
    case PROBE_FORK:
    case PROBE_CLONE:
    case PROBE_CLONE3: return act_fork(scene);
    case PROBE_PTRACE: return outcome(syscall(SYS_ptrace, PTRACE_SEIZE, scene->target, NULL, NULL));
    case PROBE_PROCESS_VM_READV:
    case PROBE_PROCESS_VM_WRITEV: return act_process_vm(scene);
    case PROBE_PIDFD_GETFD: return outcome(syscall(SYS_pidfd_getfd, scene->target_pidfd, STDERR_FILENO, 0));
    case PROBE_KILL: return outcome(syscall(SYS_kill, scene->target, SIGKILL));
    case PROBE_TGKILL: return outcome(syscall(SYS_tgkill, scene->target, scene->target, SIGKILL));
    case PROBE_MMAP_EXEC: return act_mmap_exec();
    case PROBE_MPROTECT_EXEC: return outcome(syscall(SYS_mprotect, scene->writable, PAGE, PROT_READ | PROT_EXEC));
    case PROBE_MEMFD_CREATE: return outcome(syscall(SYS_memfd_create, "probe", 0));
    case PROBE_MOUNT: return outcome(syscall(SYS_mount, "probe", "/tmp", "tmpfs", MS_NOSUID, "size=4k"));
    case PROBE_UNSHARE: return outcome(syscall(SYS_unshare, CLONE_NEWUSER));
    case PROBE_SETUID: return outcome(syscall(SYS_setuid, scene->uid));
    case PROBE_BPF: return act_bpf();
    case PROBE_KEYCTL: return outcome(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
    case PROBE_IO_URING: return act_io_uring();
    case PROBE_USERFAULTFD: return outcome(syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));
    case PROBE_PERF_EVENT_OPEN: return act_perf();
    case PROBE_CHROOT: return outcome(syscall(SYS_chroot, "/"));
    case PROBE_X32: return outcome(syscall(X32_CALL_BIT | SYS_getpid));
    case PROBE_NUM_ACTIONS: break;
    }
    return -EINVAL;
}
