#include "broker/run.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/runtime.h"
#include "broker/audit_file.h"
#include "broker/broker.h"
#include "broker/generation.h"
#include "broker/listener.h"
#include "broker/sandbox_policy.h"
#include "broker/supervise.h"

/* Large, and there is one. */
static struct broker broker;
static struct setting setting;

/* From here on signals wait until the loop takes them, so that nothing is left behind half made. */
static enum err catch_signals(int *out_fd, struct diag *diag)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a full audit log is an error, not the end */
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    *out_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return *out_fd >= 0 ? ERR_OK : diag_set(diag, ERR_SYSTEM, "signalfd: %s", strerror(errno));
}

static uint32_t count_cpus(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    int num = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return num < (int)LIMIT_WORKERS ? (uint32_t)num : LIMIT_WORKERS;
}

static void make_processes(const struct config *config, const struct resources *resources)
{
    process_init(&broker.processes[broker.num_processes++], PROGRAM_KEYD, 0);
    const uint32_t num_workers = config->workers > 0 ? config->workers : broker.cpus;
    for (uint32_t i = 0; i < num_workers; i++) (void)generation_add(&broker);
    if (resources->with_browser) process_init(&broker.processes[broker.num_processes++], PROGRAM_SHIM, 0);
}

static enum err become_broker_user(const struct user *user, struct diag *diag)
{
    if (user_become(user) == ERR_OK) return ERR_OK;
    return diag_set(
        diag, ERR_SYSTEM,
        "cannot become %s (uid %u): %s; start it as root of the machine, or of a user namespace that has that "
        "user, or as an ordinary user",
        user->name, (unsigned)user->uid, strerror(errno));
}

static enum err enter_sandbox(struct diag *diag)
{
    struct sandbox_dir dirs[3] = {
        {.fd = broker.procfs.dir, .access = SANDBOX_READ},
        {.fd = broker.runtime_dir->dir, .access = SANDBOX_READ_WRITE},
    };
    size_t num_dirs = 2;
    if (broker.access_log.path)
        dirs[num_dirs++] = (struct sandbox_dir){.fd = broker.access_log.dir, .access = SANDBOX_READ_WRITE};
    const struct config *config = broker.config;
    for (size_t i = 0; i < config->num_proxies; i++) {
        const uint16_t port = upstream_port(&config->proxies[i]);
        if (port != 0) broker.ports[broker.num_ports++] = port;
    }
    for (size_t i = 0; i < config->num_streams; i++) {
        if (config->streams[i].address.socket.ss_family != AF_UNIX)
            broker.ports[broker.num_ports++] = address_port(&config->streams[i].address);
    }
    broker.may_connect = config->num_proxies > 0 || config->num_streams > 0;
    return sandbox_enter_connecting(broker.may_connect ? &broker_connecting_policy : &broker_policy, dirs, num_dirs,
                                    broker.ports, broker.num_ports, diag);
}

/* Each channel needs a descriptor in keyd, whose limit is this process's hard one: it raises itself to that. What does not
 * fit there is not given out. */
static size_t max_handles(void)
{
    enum { BESIDES = 64 }; /* what keyd has open besides, and what is under way to it */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max <= BESIDES) return 0;
    /* Descriptors that are under way count against the sender's own limit. */
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_max - BESIDES < LIMIT_GRANTS ? (size_t)files.rlim_max - BESIDES : LIMIT_GRANTS;
}

static enum err open_audit(const struct config *config, const struct user *owner, enum audit_file_use use,
                           uint64_t *out_torn, struct diag *diag)
{
    char path[2 * LIMIT_PATH];
    struct audit_file file;
    if (config->audit_file[0]) {
        snprintf(path, sizeof path, "%s", config->audit_file);
    } else {
        snprintf(path, sizeof path, "%s/" AUDIT_FILE_NAME, config->runtime_dir);
    }
    enum err err = audit_file_open(&file, path, owner, use, diag);
    if (err != ERR_OK || use == AUDIT_FILE_CHECK) return err;
    audit_log_init(&broker.audit.log, file.fd, file.records, file.hash);
    broker.audit.policy = config->audit_continue ? AUDIT_CONTINUE : AUDIT_REFUSE;
    broker.audit.interval_ms = UINT64_C(1000) * config->audit_interval_s;
    *out_torn = file.torn;
    return ERR_OK;
}

/* What the broker has to have or know before it gives up its rights. */
static enum err prepare(const struct config *config, struct resources *resources, struct runtime_dir *runtime_dir,
                        struct diag *diag)
{
    broker.setting = broker.first_setting = &setting;
    broker.config = config;
    broker.resources = resources;
    broker.cpus = count_cpus();
    broker.runtime_dir = runtime_dir;
    broker.page_listener = -1;
    broker.landlock_abi = sandbox_landlock_abi();
    broker.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    broker.identity.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (!broker.arena || !broker.identity.arena) return diag_set(diag, ERR_MEMORY, "no memory");
    make_processes(config, resources);
    control_init(&broker.control, runtime_dir->control, getuid());
    if (listener_cookie(&broker.host_cookie, runtime_dir->control) != ERR_OK) {
        return diag_set(diag, ERR_SYSTEM, "SO_NETNS_COOKIE: %s; run Linux 5.14 or newer", strerror(errno));
    }
    enum err err = config->resumption ? tickets_begin(&broker.tickets, diag) : ERR_OK;
    const struct spawner_plan plan = {
        .programs = &resources->programs,
        .users = resources->users,
        .loader = {.argc = broker.argc, .argv = broker.argv, .web = &resources->users[PROGRAM_WEB]},
    };
    if (err == ERR_OK) err = spawner_start(&broker.spawner, &plan, diag);
    broker.max_handles = max_handles(); /* now, so that the browser's limit stays as it was */
    return err;
}

/* What a person wants to know before anything runs; where the kernel picked a port, this is how one learns it. */
static void tell_outset(const struct resources *resources)
{
    const char *const https = resources->listener_address, *const echo = resources->echo_address;
    if (resources->browserless) log_line("%s", resources->browserless);
    const bool off = resources->mode == TLS_MODE_OFF;
    if (resources->listener >= 0)
        log_line("listening service='%s' address=%s tls='%s'", off ? "http" : "https", log_quote(https),
                 tls_mode_name(resources->mode));
    if (resources->listener >= 0 && off)
        log_warning(
            "WARNING: TLS IS OFF: nothing is encrypted, nobody is known, whoever is on this machine can read and "
            "change all of it; use --tls-mode mutual for anything but an experiment");
    if (resources->echo >= 0) log_line("listening service='echo' address=%s", log_quote(echo));
    for (size_t i = 0; i < broker.config->num_streams; i++)
        log_line("listening service='stream' address=%s upstream=%s", log_quote(resources->stream_addresses[i]),
                 log_quote(broker.config->streams[i].upstream));
    if (broker.monitor.fd >= 0) log_line("listening service='metrics' address=%s", log_quote(broker.monitor.address));
}

static enum err run_in(const struct config *config, struct resources *resources, struct runtime_dir *runtime_dir,
                       uint64_t torn, struct diag *diag)
{
    enum err err = prepare(config, resources, runtime_dir, diag);
    if (err == ERR_OK) err = become_broker_user(&resources->broker, diag);
    if (err == ERR_OK) err = procfs_open(&broker.procfs, runtime_dir->control, diag);
    if (err == ERR_OK) err = enter_sandbox(diag);
    if (err != ERR_OK) return err;
    audit_begin(&broker, torn);
    tell_outset(resources);
    if (broker.max_handles < LIMIT_GRANTS)
        log_warning("at most %zu handles: the hard limit of open files is low; raise it for up to %u (ulimit -Hn)",
                    broker.max_handles, HANDLES_MINTED_MAX);
    return supervise_run(&broker);
}

enum err run_system(const struct config *given, int argc, char **argv, uint64_t begun, struct diag *diag)
{
    struct config *config = &setting.config;
    struct resources *resources = &setting.resources;
    struct runtime_dir runtime_dir;
    struct user owner;
    uint64_t torn = 0;
    setting.config = *given;
    broker.begun = begun;
    broker.argc = argc;
    broker.argv = argv;
    broker.log_style = log_stderr_style() | (config->log_json ? LOG_STYLE_JSON : 0);
    log_set_style(broker.log_style);
    user_of(&owner, topology_broker());
    enum err err = catch_signals(&broker.signals, diag);
    if (err == ERR_OK && !config->runtime_dir[0]) {
        err = runtime_default_dir(config->runtime_dir, sizeof config->runtime_dir, diag);
    }
    if (err == ERR_OK) err = runtime_dir_take(&runtime_dir, config->runtime_dir, &owner, diag);
    if (err != ERR_OK) return err;
    err = resources_open(resources, config, RESOURCES_RUN, NULL, diag);
    if (err == ERR_OK) err = open_audit(config, &owner, AUDIT_FILE_WRITE, &torn, diag);
    if (err == ERR_OK) err = access_log_open(&broker.access_log, config->access_file, &owner, LOG_FILE_WRITE, diag);
    broker.monitor.fd = -1;
    if (err == ERR_OK) err = monitor_listen(&broker.monitor, config, &runtime_dir, &owner, diag);
    if (err == ERR_OK) err = run_in(config, resources, &runtime_dir, torn, diag);
    monitor_leave(&broker.monitor, &runtime_dir);
    runtime_dir_leave(&runtime_dir);
    return err;
}

enum err run_check(struct config *config, struct diag *diag)
{
    struct resources resources;
    struct user owner;
    user_of(&owner, topology_broker());
    enum err err = resources_open(&resources, config, RESOURCES_CHECK, NULL, diag);
    if (err != ERR_OK) return err;
    resources_close(&resources);
    if (!config->runtime_dir[0]) err = runtime_default_dir(config->runtime_dir, sizeof config->runtime_dir, diag);
    if (err == ERR_OK) err = open_audit(config, &owner, AUDIT_FILE_CHECK, NULL, diag);
    return err == ERR_OK ? access_log_open(&broker.access_log, config->access_file, &owner, LOG_FILE_CHECK, diag) : err;
}
