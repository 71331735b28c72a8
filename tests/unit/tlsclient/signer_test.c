/* One handle and many who ask, with the test as keyd. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "proto/link.h"
#include "tlsclient/signer_internal.h"

enum { MANY = 64 };

static struct tlsclient_signer *signer;
static struct link keyd;
static struct codec_arena *arena;
static uint8_t messages[LIMIT_CLIENT_TRANSCRIPT + 1];
static struct signing signings[MANY];
static unsigned told;

static void on_done(void *context)
{
    cr_expect_null(((struct signing *)context)->signer, "the wait is over when it is told");
    told++;
}

static void set_up(void)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    keyd = (struct link){.fd = ends[0], .role = LINK_SIGN_CLIENT, .end = LINK_UPPER};
    arena = codec_arena_new(LIMIT_SIGN_ARENA);
    cr_assert_eq(tlsclient_signer_new(&signer, ends[1]), ERR_OK);
    memset(signings, 0, sizeof signings);
    told = 0;
}

static void tear_down(void)
{
    for (size_t i = 0; i < MANY; i++) signing_give_up(&signings[i]);
    tlsclient_signer_free(signer);
    codec_arena_free(arena);
    if (keyd.fd >= 0) close(keyd.fd);
}

TestSuite(signer, .init = set_up, .fini = tear_down);

static enum err begin(size_t which, size_t len)
{
    struct signing *signing = &signings[which];
    signing->scheme = SCHEME_ECDSA_P256_SHA256;
    signing->messages = (struct bytes){messages, len};
    signing->done = on_done;
    signing->context = signing;
    return signing_begin(signing, signer);
}

/* The next request's id; 0: there is none. */
static uint64_t hear(void)
{
    struct msg request;
    struct packet_extra extra;
    if (link_recv(&keyd, &request, &extra, arena) != ERR_OK) return 0;
    cr_assert_eq(request.kind, MSG_SIGN_TLS13_CLIENT);
    return request.id;
}

static void say_signature(uint64_t id, uint8_t byte)
{
    const struct msg answer = {.kind = MSG_SIGNATURE, .id = id, .signature = {&byte, 1}};
    cr_assert_eq(link_send(&keyd, &answer, NULL, 0), ERR_OK);
}

static void say_refusal(uint64_t id, enum refusal refusal)
{
    const struct msg answer = {.kind = MSG_REFUSAL, .id = id, .refusal = refusal};
    cr_assert_eq(link_send(&keyd, &answer, NULL, 0), ERR_OK);
}

Test(signer, gives_each_its_own_answer)
{
    uint64_t ids[3];
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(begin(i, 100), ERR_OK);
        ids[i] = hear();
        cr_assert_neq(ids[i], 0);
    }
    cr_expect_eq(tlsclient_signer_run(signer), ERR_AGAIN);
    cr_expect_eq(told, 0);
    say_signature(ids[2], 2);
    say_refusal(ids[0], REFUSAL_SERVER);
    say_signature(ids[1], 1);
    say_signature(ids[1], 9); /* a second answer is nobody's */
    say_signature(ids[2] + 5, 9);
    cr_expect_eq(tlsclient_signer_run(signer), ERR_AGAIN);
    cr_expect_eq(told, 3);
    cr_expect(signings[0].len == 0 && signings[0].refusal == REFUSAL_SERVER && signings[0].err == ERR_OK);
    cr_expect(signings[1].len == 1 && signings[1].signature[0] == 1);
    cr_expect(signings[2].len == 1 && signings[2].signature[0] == 2);
}

Test(signer, an_answer_to_one_that_was_given_up_is_nobodys)
{
    cr_assert_eq(begin(0, 100), ERR_OK);
    cr_assert_eq(begin(1, 100), ERR_OK);
    const uint64_t first = hear(), second = hear();
    signing_give_up(&signings[0]);
    say_signature(first, 1);
    say_signature(second, 2);
    cr_expect_eq(tlsclient_signer_run(signer), ERR_AGAIN);
    cr_expect_eq(told, 1);
    cr_expect_eq(signings[0].len, 0);
    cr_expect_eq(signings[1].signature[0], 2);
}

Test(signer, sends_what_waits_for_room_in_its_order)
{
    for (size_t i = 0; i < MANY; i++) cr_assert_eq(begin(i, LIMIT_CLIENT_TRANSCRIPT), ERR_OK);
    cr_assert(tlsclient_signer_wants_write(signer), "so much fits into no channel");
    uint64_t heard = 0;
    while (heard < MANY) {
        const uint64_t id = hear();
        if (id == 0) {
            cr_assert_eq(tlsclient_signer_run(signer), ERR_AGAIN);
            continue;
        }
        cr_assert_eq(id, ++heard);
        cr_assert_eq(signings[heard - 1].id, id);
    }
    cr_expect_not(tlsclient_signer_wants_write(signer));
}

Test(signer, shows_keyd_no_more_than_it_reads)
{
    cr_expect_eq(begin(0, LIMIT_CLIENT_TRANSCRIPT), ERR_OK);
    cr_expect_eq(begin(1, LIMIT_CLIENT_TRANSCRIPT + 1), ERR_TOO_LARGE);
    cr_expect_neq(hear(), 0);
}

Test(signer, a_revoked_handle_ends_every_wait_and_signs_no_more)
{
    cr_assert_eq(begin(0, 100), ERR_OK);
    cr_assert_eq(begin(1, 100), ERR_OK);
    say_refusal(0, REFUSAL_REVOKED);
    close(keyd.fd);
    keyd.fd = -1;
    cr_expect_eq(tlsclient_signer_run(signer), ERR_CLOSED);
    cr_expect_eq(told, 2);
    for (size_t i = 0; i < 2; i++)
        cr_expect(signings[i].err == ERR_CLOSED && signings[i].refusal == REFUSAL_REVOKED && signings[i].len == 0);
    cr_expect_eq(tlsclient_signer_refusal(signer), REFUSAL_REVOKED);
    cr_expect_eq(begin(2, 100), ERR_CLOSED);
    cr_expect_eq(tlsclient_signer_run(signer), ERR_CLOSED);
}

/* The word is in the channel although sending to it fails. */
Test(signer, a_last_word_is_heard_by_who_asks_after_it)
{
    say_refusal(0, REFUSAL_REVOKED);
    close(keyd.fd);
    keyd.fd = -1;
    cr_assert_eq(begin(0, 100), ERR_OK);
    cr_expect_eq(tlsclient_signer_run(signer), ERR_CLOSED);
    cr_expect_eq(signings[0].refusal, REFUSAL_REVOKED);
}

Test(signer, what_is_no_answer_ends_the_handle)
{
    cr_assert_eq(begin(0, 100), ERR_OK);
    cr_assert_eq(channel_send(keyd.fd, (const uint8_t *)"nonsense", 8, NULL, 0), ERR_OK);
    cr_expect_eq(tlsclient_signer_run(signer), ERR_MALFORMED);
    cr_expect_eq(told, 1);
    cr_expect_eq(signings[0].err, ERR_MALFORMED);
}
