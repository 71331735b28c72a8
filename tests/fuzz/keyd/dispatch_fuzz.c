/* Everything that the holder of a signing channel can send: the channel's purpose, then packets, each with its length
 * in front, through the codec and the policy to an answer that has to be encodable. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "keyd/dispatch.h"
#include "proto/codec.h"
#include "proto/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_SIGNATURES 4u

static const enum link_role roles[PURPOSE_NUM] = {
    [PURPOSE_TLS_SERVER] = LINK_SIGN_SERVER,
    [PURPOSE_TLS_CLIENT] = LINK_SIGN_CLIENT,
    [PURPOSE_BROWSER_DIGEST] = LINK_SIGN_BROWSER,
    [PURPOSE_GATEWAY] = LINK_SIGN_GATEWAY,
};

static const struct keystore *keys(void)
{
    static struct keystore *keystore;
    if (keystore != NULL) return keystore;
    const struct keyd_setup setup = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client",
                                     .tls12 = true};
    CHECK(keystore_new(&keystore, &setup, 1700000000, NULL) == ERR_OK);
    return keystore;
}

static struct expectations expectations;
static uint64_t bound_to; /* the handle that the server was told of */

static bool tell_bound(const struct expected *expected, const struct grant *grant)
{
    CHECK(expected->owner == &expectations && expected->id == 5);
    bound_to = grant->id;
    return true;
}

/* A new one for each input, in which the digest of the corpus is awaited. */
static struct expectation_source *make_source(void)
{
    struct digest digest = {.scheme = SCHEME_ECDSA_P256_SHA256, .len = 32};
    memset(digest.data, 0x11, digest.len);
    expectation_source_free(&expectations, expectations.first);
    struct expectation_source *source = expectation_source_new(&expectations, &expectations);
    CHECK(source != NULL);
    expectation_add(source, 5, &digest, 1, 1);
    return source;
}

static void check_answer(const struct answer *answer, const struct grant *grant, const struct msg *request)
{
    static uint8_t packet[LIMIT_PACKET];
    size_t len;
    CHECK(answer->msg.id == request->id);
    CHECK((answer->msg.kind == MSG_NONE) == (request->kind == MSG_EXPECT_CLIENT && answer->refusal == REFUSAL_NONE));
    if (answer->msg.kind == MSG_NONE) return;
    CHECK((rules_accepted(roles[grant->purpose], LINK_LOWER) & MSG_BIT(answer->msg.kind)) != 0);
    CHECK(codec_encode(packet, &len, sizeof(packet), &answer->msg) == ERR_OK);
    if (answer->msg.kind != MSG_SIGNATURE) return;
    CHECK(grant->signatures <= MAX_SIGNATURES);
    CHECK(grant->purpose != PURPOSE_BROWSER_DIGEST || grant->pinned_pid != 0);
    CHECK(grant->purpose != PURPOSE_TLS_CLIENT &&
          grant->purpose != PURPOSE_GATEWAY); /* no input holds this keystore's certificates */
    CHECK(grant->purpose != PURPOSE_BROWSER_DIGEST || bound_to == grant->id);
    CHECK((request->kind == MSG_SIGN_BROWSER_DIGEST) == (grant->purpose == PURPOSE_BROWSER_DIGEST));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_arena *arena;
    if (arena == NULL) arena = codec_arena_new(LIMIT_SIGN_ARENA);
    if (size < 1 || data[0] == PURPOSE_NONE || data[0] >= PURPOSE_NUM) return 0;
    struct grant grant;
    const struct keyd_grant terms = {
        .grant = 1, .purpose = (enum purpose)data[0], .label = "fuzz", .max_signatures = MAX_SIGNATURES};
    grant_init(&grant, &terms, 0);
    const struct ucred sender = {.pid = 1234};
    const struct dispatch_scene scene = {.keystore = keys(),
                                         .sender = &sender,
                                         .now_ms = 1,
                                         .now_s = 1700000000,
                                         .expectations = &expectations,
                                         .source = make_source(),
                                         .tell_bound = tell_bound,
                                         .can_report = true};

    for (size_t at = 1; at + 2 <= size;) {
        size_t len = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        if (len > size - at) len = size - at;
        struct msg request;
        struct answer answer;
        if (codec_decode(arena, &request, data + at, len, rules_accepted(roles[grant.purpose], LINK_UPPER)) != ERR_OK)
            return 0; /* cut */
        bound_to = 0;
        dispatch_request(&answer, &grant, &request, &scene);
        check_answer(&answer, &grant, &request);
        at += len;
    }
    return 0;
}
