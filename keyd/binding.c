#include "keyd/binding.h"

#include <openssl/mem.h>

#include "base/check.h"
#include "keyd/purpose.h"
#include "keyd/secret_memory.h"
#include "keyd/server_verify.h"
#include "keyd/transcript.h"

/* The digest of a CertificateVerify's content over this transcript hash. */
static void verify_digest(struct digest *out, uint16_t scheme, enum purpose_role role, const uint8_t *hash,
                          size_t hash_len)
{
    const struct sign_tls13 request = {.scheme = scheme, .transcript_hash = {hash, hash_len}};
    const enum refusal refusal = purpose_tls13(out, role, &request);
    CHECK(refusal == REFUSAL_NONE); /* the scheme is one of a key's, and the hash as long as a suite's */
}

/* The server's certificate is compared, not verified: the only servers that keyd's CA ever vouched for, or that an operator
 * brought, are these. */
static bool is_own_server(enum key_role *out_server, const struct transcript *transcript,
                          const struct keystore *keystore)
{
    return keystore_find_server(keystore, out_server, transcript->chain[0]) &&
           keystore_does(keystore, *out_server, transcript->scheme);
}

/* The chains that a client may send: its leaf alone, or its leaf and the issuer, if that is another. */
enum { CLIENT_CHAIN = 2 };

static size_t client_chain(struct bytes out[CLIENT_CHAIN], const struct keystore *keystore)
{
    out[0] = keystore_certificate(keystore, KEY_CLIENT);
    out[1] = keystore_issuer(keystore, KEY_CLIENT);
    return bytes_equal(out[0], out[1]) ? 1 : CLIENT_CHAIN;
}

/* What the client would have to sign: for each chain, under each scheme of its key. */
static size_t predict(struct digest out[EXPECTATION_CANDIDATES], const struct transcript *transcript,
                      const struct keystore *keystore)
{
    struct bytes chain[CLIENT_CHAIN];
    uint16_t schemes[SCHEMES_OF_A_KEY];
    uint8_t hash[TRANSCRIPT_HASH];
    const size_t num_chain = client_chain(chain, keystore);
    const size_t num_schemes = keystore_schemes(schemes, keystore, KEY_CLIENT);
    size_t num = 0;
    for (size_t i = 1; i <= num_chain; i++) {
        transcript_hash_with_chain(hash, transcript, chain, i);
        for (size_t j = 0; j < num_schemes; j++)
            verify_digest(&out[num++], schemes[j], PURPOSE_ROLE_CLIENT, hash, transcript->hash.len);
    }
    return num;
}

enum refusal binding_expect(struct expectation_source *source, const struct keystore *keystore, uint64_t id,
                            struct bytes messages, uint64_t now_ms)
{
    struct transcript transcript;
    struct digest digest, candidates[EXPECTATION_CANDIDATES];
    enum key_role server;
    if (!transcript_parse(&transcript, messages, TRANSCRIPT_TO_FINISHED)) return REFUSAL_TRANSCRIPT;
    if (!is_own_server(&server, &transcript, keystore)) return REFUSAL_SERVER;
    verify_digest(&digest, transcript.scheme, PURPOSE_ROLE_SERVER, transcript.signed_hash, transcript.hash.len);
    if (!expectation_take_signature(source, server, &digest, transcript.signature, now_ms)) return REFUSAL_SERVER;
    const size_t num = predict(candidates, &transcript, keystore);
    expectation_add(source, id, candidates, num, now_ms);
    return REFUSAL_NONE;
}

static bool is_in_its_time(const struct certificate_info *info, uint64_t now_s)
{
    return now_s >= info->not_before && now_s <= info->not_after;
}

/* With the client's Certificate as it should be, the hash that includes it is one of those that can be foretold. */
static bool is_own_client(const struct transcript *transcript, const struct keystore *keystore,
                          const uint8_t whole_hash[TRANSCRIPT_HASH])
{
    struct bytes chain[CLIENT_CHAIN];
    uint8_t hash[TRANSCRIPT_HASH];
    const size_t num_chain = client_chain(chain, keystore);
    for (size_t i = 1; i <= num_chain; i++) {
        transcript_hash_with_chain(hash, transcript, chain, i);
        if (CRYPTO_memcmp(hash, whole_hash, transcript->hash.len) == 0) return true;
    }
    return false;
}

static enum refusal check_own_server(const struct transcript *transcript, const struct keystore *keystore,
                                     const char *name, uint64_t now_s)
{
    struct digest digest;
    enum key_role server;
    if (!is_own_server(&server, transcript, keystore) || !keystore_is_server_name(keystore, server, name) ||
        !is_in_its_time(keystore_info(keystore, server), now_s))
        return REFUSAL_SERVER;
    verify_digest(&digest, transcript->scheme, PURPOSE_ROLE_SERVER, transcript->signed_hash, transcript->hash.len);
    return keystore_verify(keystore, server, &digest, transcript->signature) ? REFUSAL_NONE : REFUSAL_SERVER;
}

static enum refusal check_foreign_server(const struct transcript *transcript, const struct binding_server *server,
                                         uint64_t now_s)
{
    uint8_t content[PURPOSE_TLS13_CONTENT];
    const struct server_wanted wanted = {.ca = server->ca, .name = server->name, .now_s = now_s};
    struct server_shown shown = {.chain = transcript->chain,
                                 .num_chain = transcript->num_chain,
                                 .scheme = transcript->scheme,
                                 .content = {.data = content},
                                 .signature = transcript->signature};
    purpose_tls13_content(content, &shown.content.len, PURPOSE_ROLE_SERVER,
                          (struct bytes){transcript->signed_hash, transcript->hash.len});
    secret_memory_step_aside();
    const enum server_verdict verdict = server_verify(&wanted, &shown);
    if (!secret_memory_step_back()) return REFUSAL_INTERNAL;
    return verdict == SERVER_GOOD ? REFUSAL_NONE : REFUSAL_SERVER;
}

enum refusal binding_client(struct digest *out_digest, const struct keystore *keystore,
                            const struct binding_server *server, const struct sign_tls13_client *request,
                            uint64_t now_s)
{
    struct transcript transcript;
    uint8_t hash[TRANSCRIPT_HASH];
    if (!transcript_parse(&transcript, request->messages, TRANSCRIPT_TO_CLIENT_CERTIFICATE)) return REFUSAL_TRANSCRIPT;
    const enum refusal refusal = server->ca.len > 0 ? check_foreign_server(&transcript, server, now_s)
                                                    : check_own_server(&transcript, keystore, server->name, now_s);
    if (refusal != REFUSAL_NONE) return refusal;

    transcript_hash_finish(hash, &transcript.whole_hash);
    if (!is_own_client(&transcript, keystore, hash)) return REFUSAL_TRANSCRIPT;
    verify_digest(out_digest, request->scheme, PURPOSE_ROLE_CLIENT, hash, transcript.hash.len);
    return REFUSAL_NONE;
}

enum refusal binding_can(const struct binding_server *server)
{
    secret_memory_step_aside();
    const enum server_verdict verdict =
        server_verify_can(&(struct server_wanted){.ca = server->ca, .name = server->name});
    if (!secret_memory_step_back()) return REFUSAL_INTERNAL;
    return verdict == SERVER_GOOD ? REFUSAL_NONE : REFUSAL_PARAMETERS;
}
