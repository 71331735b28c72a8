/* The real program in its real sandbox, with the test as its broker, its keyd and its clients. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "tests/unit/keep.h"
#include "tests/unit/web/fake_keyd.h"
#include "tests/unit/web/pki.h"

#define PROGRAM "web/web"

static struct link broker = {.fd = -1, .role = LINK_BROKER_WEB, .end = LINK_UPPER};
static struct codec_arena *arena;
static struct fake_keyd keyd;
static struct pki_cert server_ca, server, client_ca, client;
static pid_t pid;
static SSL_CTX *client_context;
static int root_fd = -1, uploads_fd = -1;
static char tree[] = "/tmp/keyward-web-process-XXXXXX";

static void start_program(void)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    pid = fork();
    if (pid == 0) {
        char *const argv[] = {"web", NULL}, *const envp[] = {NULL};
        dup2(ends[1], 3);
        execve(PROGRAM, argv, envp);
        _exit(127);
    }
    close(ends[1]);
    broker.fd = ends[0];
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
    server_ca = pki_ca("server CA");
    client_ca = pki_ca("client CA");
    client = pki_client(&client_ca);
    server = pki_make(&(struct pki_request){.name = "server", .issuer = &server_ca, .eku = NID_server_auth});
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(client_context, SSL_VERIFY_PEER, NULL);
    cr_assert(X509_STORE_add_cert(SSL_CTX_get_cert_store(client_context), server_ca.x509));
    start_program();
}

static void remove_tree(void)
{
    char command[sizeof tree + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", tree);
    cr_expect_eq(system(command), 0);
}

static void teardown(void)
{
    if (root_fd >= 0) remove_tree();
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

TestSuite(process, .init = setup, .fini = teardown, .timeout = 30);

static void tell(const struct msg *msg, const int *fds, size_t num_fds)
{
    cr_assert_eq(link_send(&broker, msg, fds, num_fds), ERR_OK);
}

static struct msg hear(void)
{
    struct msg msg;
    struct packet_extra extra;
    cr_assert_eq(channel_wait(broker.fd, 10000), ERR_OK);
    cr_assert_eq(link_recv(&broker, &msg, &extra, arena), ERR_OK);
    return msg;
}

/* The exit code, or -1 after ms, or minus the signal. */
static int exit_code(unsigned ms)
{
    int status;
    for (uint64_t begin = clock_monotonic_ms(); clock_monotonic_ms() - begin < ms; usleep(1000)) {
        if (waitpid(pid, &status, WNOHANG) != pid) continue;
        pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    return -1;
}

static int make_dir(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", tree, name);
    cr_assert_eq(mkdir(path, 0755), 0);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void send_setup(bool with_dirs)
{
    struct msg msg = {.kind = MSG_WEB_SETUP, .id = 1};
    msg.web_setup = (struct web_setup){.worker = 7,
                                       .has_root = with_dirs,
                                       .has_uploads = with_dirs,
                                       .max_upload_bytes = 1 << 20,
                                       .idle_timeout_ms = 5000,
                                       .tls12 = true};
    if (with_dirs) {
        cr_assert_not_null(mkdtemp(tree));
        root_fd = make_dir("root");
        uploads_fd = make_dir("uploads");
        AUTO_FD page = openat(root_fd, "index.html", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        cr_assert_eq(write(page, "my page", 7), 7);
    }
    tell(&msg, (int[]){root_fd, uploads_fd}, with_dirs ? 2 : 0);
}

#define NO_CLIENT "0000000000000000000000000000000000000000000000000000000000000000"

static void send_identity(uint64_t id, struct bytes leaf, int client_ca_fd)
{
    struct msg msg = {.kind = MSG_WEB_IDENTITY, .id = id};
    int fds[2] = {fake_keyd_open(&keyd, server.key), client_ca_fd};
    msg.web_identity.chain[0] = leaf;
    msg.web_identity.num_chain = 1;
    msg.web_identity.client_cas[0] = client_ca.der;
    msg.web_identity.num_client_cas = 1;
    msg.web_identity.own_client = NO_CLIENT;
    msg.web_identity.has_client_ca_file = client_ca_fd >= 0;
    tell(&msg, fds, client_ca_fd >= 0 ? 2 : 1);
    close(fds[0]);
}

static void expect_ready(uint64_t id)
{
    struct msg msg = hear();
    cr_assert_eq(msg.kind, MSG_READY, "%s %s", msg_kind_name(msg.kind), msg.kind == MSG_FAILED ? msg.failed.text : "");
    cr_assert_eq(msg.id, id);
}

/* *out_fd is the broker's own descriptor of the same socket. */
static uint16_t send_kept_listener(int *out_fd, uint32_t slot, enum service service)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 16) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    struct msg msg = {.kind = MSG_WEB_LISTEN};
    msg.web_listen = (struct web_listen){.slot = slot, .service = service, .address = "127.0.0.1"};
    tell(&msg, (int[]){fd}, 1);
    *out_fd = fd;
    return ntohs(address.sin_port);
}

static uint16_t send_listener(uint32_t slot, enum service service)
{
    AUTO_FD fd = -1;
    return send_kept_listener(&fd, slot, service);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 500; i++) {
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            fcntl(fd, F_SETFL, O_NONBLOCK);
            return fd;
        }
        usleep(2000);
    }
    close(fd);
    return -1;
}

/* keyd answers while the client waits. */
static void client_wait(int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = keyd.link.fd, .events = POLLIN}};
    poll(fds, 2, 1000);
    fake_keyd_step(&keyd);
}

static SSL *open_client(uint16_t port, const struct pki_cert *cert)
{
    SSL *ssl = keep(SSL_new(client_context));
    int fd = connect_to(port);
    cr_assert_geq(fd, 0);
    SSL_set_fd(ssl, fd);
    if (cert != NULL) cr_assert(SSL_use_certificate(ssl, cert->x509) && SSL_use_PrivateKey(ssl, cert->key));
    int result;
    while ((result = SSL_connect(ssl)) != 1) {
        cr_assert_eq(SSL_get_error(ssl, result), SSL_ERROR_WANT_READ, "%s", ERR_reason_error_string(ERR_peek_error()));
        client_wait(fd);
    }
    return ssl;
}

static void close_client(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

/* Sends a request and reads until want has come; what came is in a static buffer. */
static const char *ask(SSL *ssl, const char *request, const char *want)
{
    static char out[65536];
    size_t len = 0;
    cr_assert_eq(SSL_write(ssl, request, (int)strlen(request)), (int)strlen(request));
    do {
        int n = SSL_read(ssl, out + len, (int)(sizeof out - len - 1));
        if (n <= 0 && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ) break;
        if (n <= 0) client_wait(SSL_get_fd(ssl));
        if (n > 0) len += (size_t)n;
        out[len] = '\0';
    } while (strstr(out, want) == NULL);
    out[len] = '\0';
    return out;
}

static void expect_answer(SSL *ssl, const char *request, const char *want)
{
    const char *got = ask(ssl, request, want);
    cr_assert(strstr(got, want) != NULL, "got '%s'", got);
}

static struct web_status status(void)
{
    tell(&(struct msg){.kind = MSG_STATUS_QUERY, .id = 99}, NULL, 0);
    struct msg msg = hear();
    cr_assert_eq(msg.kind, MSG_WEB_STATUS);
    cr_assert_eq(msg.id, 99);
    return msg.web_status;
}

static void begin(void)
{
    send_setup(false);
    send_identity(2, server.der, -1);
    expect_ready(2);
}

Test(process, serves_http_and_echo_and_counts)
{
    begin();
    uint16_t https = send_listener(0, SERVICE_HTTPS), echo = send_listener(2, SERVICE_ECHO);
    SSL *ssl = open_client(https, &client);
    expect_answer(ssl, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "Hello World");
    expect_answer(ssl, "GET /api/get HTTP/1.1\r\nHost: localhost\r\n\r\n", "CN=client");
    SSL *other = open_client(echo, &client);
    expect_answer(other, "raw\n", " raw\n");
    struct web_status got = status();
    cr_assert_eq(got.handshakes, 2);
    cr_assert_eq(got.handshakes_failed, 0);
    cr_assert_eq(got.requests, 2);
    cr_assert_eq(got.connections, 2);
    cr_assert_eq(got.echo_lines, 1);
    close_client(ssl);
    close_client(other);
}

/* Every way of being refused ends in a log line, whose words must not cost the worker its life. */
Test(process, survives_bad_clients)
{
    struct pki_cert other_ca = pki_ca("other");
    struct pki_cert bad[] = {
        pki_client(&other_ca),
        pki_make(
            &(struct pki_request){.name = "old", .issuer = &client_ca, .not_before_s = -7200, .not_after_s = -3600}),
        pki_make(&(struct pki_request){.name = "early", .issuer = &client_ca, .not_before_s = 600}),
        pki_make(&(struct pki_request){.name = "eku", .issuer = &client_ca, .eku = NID_server_auth}),
    };
    begin();
    uint16_t port = send_listener(0, SERVICE_HTTPS);
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        SSL *ssl = open_client(port, i < sizeof bad / sizeof *bad ? &bad[i] : NULL);
        cr_assert_str_eq(ask(ssl, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP"), "");
        close_client(ssl);
    }
    int fd = connect_to(port);
    cr_assert_eq(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    close(fd);
    SSL *ssl = open_client(port, &client);
    expect_answer(ssl, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "Hello World");
    cr_assert_geq(status().handshakes_failed, sizeof bad / sizeof *bad + 1);
    cr_assert_eq(status().handshakes, 1);
}

Test(process, serves_files_and_takes_uploads)
{
    struct stat uploaded;
    send_setup(true);
    send_identity(2, server.der, -1);
    expect_ready(2);
    SSL *ssl = open_client(send_listener(0, SERVICE_HTTPS), &client);
    expect_answer(ssl, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "my page");
    expect_answer(ssl, "PUT /upload/a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nbytes",
                  "HTTP/1.1 201");
    cr_assert_eq(fstatat(uploads_fd, "a.txt", &uploaded, 0), 0);
    cr_assert_eq(uploaded.st_size, 5);
    expect_answer(ssl, "GET /../secret HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 4");
    close_client(ssl);
    tell(&(struct msg){.kind = MSG_STOP}, NULL, 0);
    cr_assert_eq(exit_code(2000), 0);
}

Test(process, negotiates_h2)
{
    begin();
    uint16_t port = send_listener(0, SERVICE_HTTPS);
    SSL_CTX_set_alpn_protos(client_context, (const uint8_t *)"\x08http/1.1\x02h2", 12);
    SSL *ssl = open_client(port, &client);
    const uint8_t *alpn;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &alpn, &len);
    cr_assert(len == 2 && memcmp(alpn, "h2", 2) == 0);
    close_client(ssl);
}

Test(process, takes_clients_of_the_pem_file)
{
    char text[4096];
    struct pki_cert ca = pki_ca("operator"), other = pki_client(&ca);
    FILE *file = tmpfile();
    fwrite(text, 1, pki_pem(text, sizeof text, &ca), file);
    fflush(file);
    send_setup(false);
    send_identity(2, server.der, fileno(file));
    expect_ready(2);
    uint16_t port = send_listener(2, SERVICE_ECHO);
    SSL *ssl = open_client(port, &other);
    expect_answer(ssl, "operator's\n", "operator's\n");
    close_client(ssl);
    ssl = open_client(port, &client);
    expect_answer(ssl, "broker's\n", "broker's\n");
    close_client(ssl);
}

Test(process, changes_its_identity_and_keeps_connections)
{
    begin();
    uint16_t port = send_listener(2, SERVICE_ECHO);
    SSL *old = open_client(port, &client);
    expect_answer(old, "one\n", "one\n");
    struct pki_cert next =
        pki_make(&(struct pki_request){.name = "next", .issuer = &server_ca, .eku = NID_server_auth});
    fake_keyd_close(&keyd);
    server.key = next.key;
    send_identity(3, next.der, -1);
    expect_ready(3);
    SSL *young = open_client(port, &client);
    X509 *shown = SSL_get_peer_certificate(young);
    cr_assert_eq(X509_cmp(shown, next.x509), 0);
    X509_free(shown);
    expect_answer(young, "two\n", "two\n");
    expect_answer(old, "three\n", "three\n");
}

Test(process, keeps_its_identity_when_the_next_is_broken)
{
    begin();
    uint16_t port = send_listener(2, SERVICE_ECHO);
    struct fake_keyd first = keyd;
    send_identity(3, (struct bytes){(const uint8_t *)"x", 1}, -1);
    struct msg msg = hear();
    cr_assert_eq(msg.kind, MSG_FAILED);
    cr_assert_eq(msg.id, 3);
    keyd = first;
    SSL *ssl = open_client(port, &client);
    expect_answer(ssl, "still\n", "still\n");
}

Test(process, replaces_a_listener)
{
    begin();
    uint16_t one = send_listener(2, SERVICE_ECHO);
    close_client(open_client(one, &client));
    uint16_t two = send_listener(2, SERVICE_ECHO);
    close_client(open_client(two, &client));
    cr_assert_eq(connect_to(one), -1, "nobody listens there any more");
}

/* The broker and the other workers still have the socket, so the kernel goes on telling of its connections. */
Test(process, survives_connections_to_a_listener_that_it_has_closed)
{
    begin();
    AUTO_FD kept = -1;
    uint16_t old = send_kept_listener(&kept, 2, SERVICE_ECHO);
    close_client(open_client(old, &client));
    uint16_t port = send_listener(2, SERVICE_ECHO);
    close_client(open_client(port, &client));
    AUTO_FD early = connect_to(old);
    cr_assert_geq(early, 0);
    cr_assert_eq(exit_code(50), -1);
    SSL *ssl = open_client(port, &client);
    expect_answer(ssl, "here\n", "here\n");
    close_client(ssl);
    /* The question may be there before the client's end has been seen. */
    for (int i = 0; i < 300 && status().connections != 0; i++) usleep(10000);
    cr_assert_eq(status().connections, 0);
}

Test(process, drains_while_others_still_connect)
{
    begin();
    AUTO_FD kept = -1;
    uint16_t port = send_kept_listener(&kept, 2, SERVICE_ECHO);
    SSL *ssl = open_client(port, &client);
    expect_answer(ssl, "x\n", "x\n");
    tell(&(struct msg){.kind = MSG_STOP}, NULL, 0);
    const char *end = ask(ssl, "y\n", "stopping\n");
    cr_assert(strstr(end, "stopping") != NULL, "got '%s'", end);
    AUTO_FD late = connect_to(port);
    cr_assert_geq(late, 0);
    cr_assert_eq(exit_code(3000), 0);
}

Test(process, says_why_the_first_identity_is_not_usable)
{
    send_setup(false);
    struct pki_cert leaf = pki_client(&client_ca);
    char text[4096];
    FILE *file = tmpfile();
    fwrite(text, 1, pki_pem(text, sizeof text, &leaf), file);
    fflush(file);
    send_identity(2, server.der, fileno(file));
    struct msg msg = hear();
    cr_assert_eq(msg.kind, MSG_FAILED);
    cr_assert_eq(msg.id, 2);
    cr_assert(strstr(msg.failed.text, "client CA file: certificate 1 ('CN=client') is not a CA") != NULL, "%s",
              msg.failed.text);
    cr_assert_eq(exit_code(2000), 100);
}

Test(process, refuses_another_first_message)
{
    tell(&(struct msg){.kind = MSG_STATUS_QUERY, .id = 1}, NULL, 0);
    struct msg msg = hear();
    cr_assert_eq(msg.kind, MSG_FAILED);
    cr_assert_eq(exit_code(2000), 111);
}

Test(process, ends_with_its_broker)
{
    begin();
    close(broker.fd);
    cr_assert_eq(exit_code(2000), 0);
}

Test(process, ends_when_the_broker_speaks_nonsense)
{
    begin();
    cr_assert_eq(channel_send(broker.fd, (const uint8_t *)"\xff\xff", 2, NULL, 0), ERR_OK);
    cr_assert_eq(exit_code(2000), 111);
}

Test(process, stops_at_once_when_idle)
{
    begin();
    uint64_t at = clock_monotonic_ms();
    tell(&(struct msg){.kind = MSG_STOP}, NULL, 0);
    cr_assert_eq(exit_code(2000), 0);
    cr_assert_lt(clock_monotonic_ms() - at, 500u);
}

Test(process, stops_in_time_when_a_client_does_not_close)
{
    begin();
    SSL *ssl = open_client(send_listener(2, SERVICE_ECHO), &client);
    expect_answer(ssl, "x\n", "x\n");
    uint64_t at = clock_monotonic_ms();
    tell(&(struct msg){.kind = MSG_STOP}, NULL, 0);
    cr_assert_eq(exit_code(3000), 0);
    cr_assert_lt(clock_monotonic_ms() - at, DEADLINE_STOP_MS);
}

Test(process, stops_in_time_when_a_handshake_does_not_end)
{
    begin();
    int fd = connect_to(send_listener(2, SERVICE_ECHO));
    while (status().connections == 0) usleep(1000);
    uint64_t at = clock_monotonic_ms();
    tell(&(struct msg){.kind = MSG_STOP}, NULL, 0);
    cr_assert_eq(exit_code(3000), 0);
    cr_assert_lt(clock_monotonic_ms() - at, DEADLINE_STOP_MS);
    close(fd);
}
