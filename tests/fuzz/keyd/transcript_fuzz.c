/* What a web worker or a client says was a handshake: parsed, and judged by a keyd that had no part in it. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "keyd/binding.h"
#include "keyd/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct keystore *keys(void)
{
    static struct keystore *keystore;
    if (keystore != NULL) return keystore;
    const struct keyd_setup setup = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    CHECK(keystore_new(&keystore, &setup, 1700000000, NULL) == ERR_OK);
    return keystore;
}

static bool is_inside(struct bytes span, struct bytes whole)
{
    return span.data >= whole.data && span.len <= whole.len && span.data + span.len <= whole.data + whole.len;
}

static void check_parsed(struct bytes messages, enum transcript_end end)
{
    struct transcript transcript, shorter;
    if (!transcript_parse(&transcript, messages, end)) return;
    CHECK(transcript.hash.len == 32 || transcript.hash.len == 48);
    CHECK(transcript.num_chain >= 1 && transcript.num_chain <= LIMIT_SERVER_CHAIN);
    for (size_t i = 0; i < transcript.num_chain; i++)
        CHECK(transcript.chain[i].len > 0 && is_inside(transcript.chain[i], messages));
    CHECK(is_inside(transcript.signature, messages));
    uint8_t before[TRANSCRIPT_HASH] = {0}, after[TRANSCRIPT_HASH] = {0};
    transcript_hash_finish(before, &transcript.hash);
    transcript_hash_finish(after, &transcript.whole_hash);
    CHECK((memcmp(before, after, sizeof before) == 0) == (end == TRANSCRIPT_TO_FINISHED));
    /* There is one way to end. */
    CHECK(!transcript_parse(&shorter, messages,
                            end == TRANSCRIPT_TO_FINISHED ? TRANSCRIPT_TO_CLIENT_CERTIFICATE : TRANSCRIPT_TO_FINISHED));
    CHECK(!transcript_parse(&shorter, (struct bytes){messages.data, messages.len - 1}, end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct expectations all;
    static struct expectation_source *source;
    if (source == NULL) source = expectation_source_new(&all, NULL);
    if (source == NULL) abort();
    if (size > LIMIT_CLIENT_TRANSCRIPT) return 0;
    const struct bytes messages = {data, size};
    struct digest digest;
    const struct sign_tls13_client request = {SCHEME_ECDSA_P256_SHA256, messages};
    check_parsed(messages, TRANSCRIPT_TO_FINISHED);
    check_parsed(messages, TRANSCRIPT_TO_CLIENT_CERTIFICATE);
    CHECK(binding_expect(source, keys(), 1, messages, 1) != REFUSAL_NONE);
    CHECK(binding_client(&digest, keys(), &(struct binding_server){.name = "localhost"}, &request, 1700000000) !=
          REFUSAL_NONE);
    return 0;
}
