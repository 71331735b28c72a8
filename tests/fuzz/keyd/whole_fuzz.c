/* keyd's channels as a whole: web workers, browsers and clients on real socketpairs, honest and not, while the broker grants,
 * derives and revokes and time passes. An input is a list of what happens; what keyd answers is held against the policy's
 * own books (whole_book.h). */
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "keyd/channel_table.h"
#include "keyd/events.h"
#include "proto/link.h"
#include "tests/fuzz/keyd/whole_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct book book;
static struct events events;
static struct channel_table *table;
static struct ev_loop *loop;
static uint64_t last_grant;
static bool broker_is_deaf;

/* The ends of each slot's channel. Whoever sends notes under which pid keyd is to see each packet. */
static struct end {
    int upper, lower; /* upper is keyd's: known, not owned; lower is -1 if the holder has closed it */
    bool is_deaf;
    uint32_t pids[1024];
    size_t num_sent, num_read;
} ends[BOOK_SLOTS];

/* ---- What is put in keyd's way: the time, who sends, what it answers ---- */

uint64_t clock_monotonic_ms(void)
{
    return book.now_ms;
}

uint64_t clock_wall_s(void)
{
    return 1700000000;
}

uint64_t clock_wall_ms(void)
{
    return 1000 * clock_wall_s();
}

/* What keyd has closed by itself: its descriptor is gone. */
static void note_closed(void)
{
    for (size_t i = 0; i < BOOK_SLOTS; i++) {
        if (book.slots[i].open && fcntl(ends[i].upper, F_GETFD) < 0) book_close(&book, &book.slots[i]);
    }
}

static struct book_slot *slot_of(int upper)
{
    note_closed();
    for (size_t i = 0; i < BOOK_SLOTS; i++) {
        if (book.slots[i].open && ends[i].upper == upper) return &book.slots[i];
    }
    CHECK(false); /* keyd serves a channel that is closed */
    return NULL;
}

MUST_CHECK enum err __real_link_recv(const struct link *, struct msg *, struct packet_extra *, struct codec_arena *);
MUST_CHECK enum err __wrap_link_recv(const struct link *, struct msg *, struct packet_extra *, struct codec_arena *);
MUST_CHECK enum err __real_link_send(const struct link *, const struct msg *, const int *, size_t);
MUST_CHECK enum err __wrap_link_send(const struct link *, const struct msg *, const int *, size_t);

enum err __wrap_link_recv(const struct link *link, struct msg *out, struct packet_extra *extra,
                          struct codec_arena *arena)
{
    const enum err err = __real_link_recv(link, out, extra, arena);
    if (err == ERR_AGAIN || err == ERR_CLOSED) return err;
    struct book_slot *slot = slot_of(link->fd);
    struct end *end = &ends[slot - book.slots];
    CHECK(end->num_read < end->num_sent);
    extra->sender.pid = (pid_t)end->pids[end->num_read++];
    if (err != ERR_OK || out->id == 0 || out->id > book.num_requests) return err;
    struct book_request *request = &book.requests[out->id - 1];
    if (request->slot == slot && request->kind == out->kind) book_asked(&book, request);
    return err;
}

/* The broker, as far as it listens. */
static void on_events(void *context)
{
    (void)context;
    const struct link broker = {.fd = -1, .role = LINK_BROKER_KEYD, .end = LINK_LOWER};
    const enum err err = events_send(&events, &broker);
    CHECK(err == ERR_OK || broker_is_deaf);
}

/* An answer that waits for room is sent again; it counts when it is made. */
enum err __wrap_link_send(const struct link *link, const struct msg *msg, const int *fds, size_t num_fds)
{
    static uint64_t last_id;
    static int last_fd;
    if (link->role == LINK_BROKER_KEYD) return broker_is_deaf ? ERR_AGAIN : ERR_OK;
    struct book_slot *slot = slot_of(link->fd);
    const enum err err = __real_link_send(link, msg, fds, num_fds);
    const bool is_again = msg->kind != MSG_CLIENT_BOUND && last_fd == link->fd && last_id == msg->id;
    if (msg->kind == MSG_CLIENT_BOUND && err != ERR_OK) return err;
    if (!is_again) book_answered(&book, slot, msg);
    last_fd = err == ERR_AGAIN ? link->fd : -1;
    last_id = msg->id;
    return err;
}

/* ---- What happens ---- */

struct input {
    const uint8_t *data;
    size_t len;
};

static uint8_t take(struct input *input)
{
    if (input->len == 0) return 0;
    input->len--;
    return *input->data++;
}

static void run_keyd(void)
{
    for (unsigned i = 0; i < 4; i++) ev_run(loop, EVRUN_NOWAIT);
    note_closed();
}

static void read_answers(struct end *end)
{
    uint8_t packet[1024];
    while (end->lower >= 0 && recv(end->lower, packet, sizeof packet, MSG_DONTWAIT) > 0) {
    }
}

static void close_lower(struct end *end)
{
    if (end->lower >= 0) close(end->lower);
    end->lower = -1;
}

static void send_packet(size_t i, const uint8_t *data, size_t len, uint32_t pid, bool with_descriptor)
{
    struct end *end = &ends[i];
    if (end->lower < 0 || len == 0 || end->num_sent == sizeof end->pids / sizeof end->pids[0]) return;
    const int fd = with_descriptor ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    if (channel_send(end->lower, data, len, &fd, with_descriptor) == ERR_OK) end->pids[end->num_sent++] = pid;
    if (fd >= 0) close(fd);
}

static void send_request(size_t i, struct msg *msg, const struct book_request *request)
{
    static uint8_t packet[LIMIT_PACKET];
    size_t len;
    book.requests[book.num_requests] = *request;
    book.requests[book.num_requests].slot = &book.slots[i];
    book.requests[book.num_requests].kind = msg->kind;
    msg->id = ++book.num_requests;
    CHECK(codec_encode(packet, &len, sizeof packet, msg) == ERR_OK);
    send_packet(i, packet, len, request->pid, false);
}

static void grant(size_t i, struct input *input)
{
    static const uint64_t maxima[4] = {0, 1, 2, 5};
    static const uint32_t lifetimes[4] = {0, 1, 3, 60}, rates[4] = {0, 1, 2, 4}, pids[4] = {0, 0, 1, 2};
    const uint8_t what = take(input), limits = take(input);
    const size_t parent = what >> 4 & 7;
    struct keyd_grant terms = {.grant = ++last_grant,
                               .purpose = (enum purpose)(PURPOSE_TLS_SERVER + what % 4 % 3),
                               .label = "fuzz",
                               .server = what % 4 % 3 == 1 ? "localhost" : "",
                               .lifetime_s = lifetimes[limits & 3],
                               .max_signatures = maxima[limits >> 2 & 3],
                               .rate = rates[limits >> 4 & 3],
                               .pid = pids[limits >> 6 & 3]};
    const bool is_derived = (what & 0x80) != 0 && parent != i && book.slots[parent].grant != 0;
    int pair[2];
    if (book.slots[i].open) return;
    if (is_derived) terms.parent = book.slots[parent].grant;
    close_lower(&ends[i]);
    CHECK(channel_pair(pair) == ERR_OK);
    CHECK(channel_want_sender(pair[0]) == ERR_OK);
    ends[i] = (struct end){.upper = pair[0], .lower = pair[1]};
    book.slots[i] = (struct book_slot){.open = true, .grant = terms.grant};
    channel_table_grant(table, &terms, pair[0]);
    note_closed();
    if (book.slots[i].open) book_grant(&book.slots[i], is_derived ? &book.slots[parent] : NULL, &terms, book.now_ms);
}

static void revoke_grant(size_t i)
{
    if (book.slots[i].grant == 0) return;
    channel_table_revoke(table, book.slots[i].grant);
    if (book.slots[i].open) book_close(&book, &book.slots[i]);
}

static void ask_server(size_t i, struct input *input)
{
    uint8_t hash[32];
    struct book_request request = {.hash = take(input) % BOOK_HASHES};
    struct msg msg = {.kind = MSG_SIGN_TLS13_SERVER};
    book_signed_hash(hash, &book, request.hash);
    msg.sign_tls13_server = (struct sign_tls13){SCHEME_ECDSA_P256_SHA256, {hash, sizeof hash}, 0};
    send_request(i, &msg, &request);
}

/* A handshake around one of keyd's signatures, or around none; perhaps with a bit changed. */
static void tell(size_t i, struct input *input, enum msg_kind kind, uint32_t pid)
{
    static uint8_t messages[BOOK_MESSAGES];
    const uint8_t which = take(input), how = take(input);
    struct book_proof *proof = which < book.num_proofs ? &book.proofs[book.num_proofs - 1 - which] : NULL;
    struct book_request request = {.proof = proof, .pid = pid, .genuine = proof != NULL};
    const struct bytes signature = {proof != NULL ? proof->signature : &how, proof != NULL ? proof->signature_len : 1};
    const size_t server_len =
        book_messages(messages, &book, proof != NULL && how != 1 ? proof->hash : BOOK_HASHES, signature);
    size_t len = server_len;
    for (size_t n = 0; n < 2; n++)
        book_client_digest(request.digests[n], messages, book_add_client(messages, len, &book, n + 1));
    if (kind == MSG_SIGN_TLS13_CLIENT) {
        len = book_add_client(messages, len, &book, 1 + (how >> 1 & 1));
        memcpy(request.digests[0], request.digests[how >> 1 & 1], 32);
    }
    if (how == 1) request.genuine = false;
    if (how >= 4) {
        messages[(size_t)how * 37 % (server_len - 32)] ^= 1; /* not in the Finished, which keyd cannot check */
        request.genuine = false;
    }
    struct msg msg = {.kind = kind};
    if (kind == MSG_EXPECT_CLIENT)
        msg.expect_client = (struct bytes){messages, len};
    else
        msg.sign_tls13_client = (struct sign_tls13_client){SCHEME_ECDSA_P256_SHA256, {messages, len}};
    send_request(i, &msg, &request);
}

static void ask_digest(size_t i, struct input *input, uint32_t pid)
{
    const uint8_t which = take(input), how = take(input);
    struct book_request request = {.pid = pid};
    const struct book_request *told = which < book.num_requests ? &book.requests[book.num_requests - 1 - which] : NULL;
    if (told != NULL) memcpy(request.digests[0], told->digests[how & 1], 32);
    request.digests[0][0] ^= how >> 1 == 1;
    struct msg msg = {.kind = MSG_SIGN_BROWSER_DIGEST};
    msg.sign_browser_digest = (struct sign_browser_digest){.scheme = SCHEME_ECDSA_P256_SHA256, .digest_len = 32};
    memcpy(msg.sign_browser_digest.digest, request.digests[0], 32);
    send_request(i, &msg, &request);
}

static void send_raw(size_t i, struct input *input, uint32_t pid)
{
    const uint8_t len = take(input);
    const size_t given = len < input->len ? len : input->len;
    send_packet(i, input->data, given, pid, (len & 1) != 0);
    input->data += given;
    input->len -= given;
}

static void ask_plain(size_t i, enum msg_kind kind, uint32_t pid)
{
    const struct book_request request = {.pid = pid};
    struct msg msg = {.kind = kind};
    send_request(i, &msg, &request);
}

enum {
    GRANT,
    REVOKE,
    ASK_SERVER,
    TELL,
    ASK_DIGEST,
    ASK_CLIENT,
    PIN,
    DESCRIBE,
    RAW,
    CLOCK,
    CLOSE,
    DEAF,
    DEAF_BROKER,
    NUM_STEPS
};

/* Whether keyd comes to look before the next step. */
static bool step(struct input *input)
{
    static const uint64_t times[8] = {1, 100, 999, 1000, 2999, 4999, 5000, 60000};
    const uint8_t what = take(input), whom = take(input);
    const size_t i = whom & 7;
    const uint32_t pid = whom >> 3 & 3;
    switch (what % NUM_STEPS) {
    case GRANT: grant(i, input); break;
    case REVOKE: revoke_grant(i); break;
    case ASK_SERVER: ask_server(i, input); break;
    case TELL: tell(i, input, MSG_EXPECT_CLIENT, pid); break;
    case ASK_DIGEST: ask_digest(i, input, pid); break;
    case ASK_CLIENT: tell(i, input, MSG_SIGN_TLS13_CLIENT, pid); break;
    case PIN: ask_plain(i, MSG_PIN_HANDLE, pid); break;
    case DESCRIBE: ask_plain(i, MSG_DESCRIBE_HANDLE, pid); break;
    case RAW: send_raw(i, input, pid); break;
    case CLOCK: book.now_ms += times[whom & 7]; break;
    case CLOSE: close_lower(&ends[i]); break;
    case DEAF: ends[i].is_deaf = !ends[i].is_deaf; break;
    case DEAF_BROKER:
        broker_is_deaf = !broker_is_deaf;
        on_events(NULL);
        break;
    default: break;
    }
    return (whom & 0x80) == 0;
}

static void start(void)
{
    static struct keystore *keystore;
    const struct keyd_setup setup = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    if (keystore != NULL) return;
    CHECK(keystore_new(&keystore, &setup, clock_wall_s(), NULL) == ERR_OK);
    loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    table = channel_table_new(loop, &events, on_events, NULL);
    CHECK(table != NULL);
    CHECK(channel_table_serve(table, 1, keystore) == ERR_OK);
    book.keystore = keystore;
    book.now_ms = 1;
    for (size_t i = 0; i < BOOK_SLOTS; i++) ends[i].lower = -1;
}

/* Nothing is left of an input: no channel, no descriptor. */
static void finish(int first_free)
{
    struct keyd_status status;
    broker_is_deaf = false;
    on_events(NULL);
    for (size_t i = 0; i < BOOK_SLOTS; i++) {
        revoke_grant(i);
        close_lower(&ends[i]);
        book.slots[i] = (struct book_slot){0};
    }
    channel_table_status(table, &status);
    CHECK(status.total == 0);
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(fd == first_free);
    close(fd);
    book.num_requests = book.num_proofs = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    start();
    run_keyd(); /* libev takes its descriptors at first use */
    const int first_free = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(first_free);
    while (input.len > 0 && book.num_requests < BOOK_REQUESTS) {
        if (!step(&input)) continue;
        run_keyd();
        for (size_t i = 0; i < BOOK_SLOTS; i++) {
            if (!ends[i].is_deaf) read_answers(&ends[i]);
        }
        run_keyd();
    }
    finish(first_free);
    return 0;
}
