#include "keyd/binding.h"

#include <openssl/mem.h>

#include "base/check.h"
#include "keyd/purpose.h"
#include "keyd/transcript.h"

/* The digest of a CertificateVerify's content over this transcript hash. */
static void verify_digest(uint8_t out[KEYSTORE_DIGEST], enum purpose_role role, const uint8_t *hash, size_t hash_len)
{
    const struct sign_tls13 request = {.scheme = SCHEME_ECDSA_P256_SHA256, .transcript_hash = {hash, hash_len}};
    const enum refusal refusal = purpose_tls13(out, role, &request);
    CHECK(refusal == REFUSAL_NONE); /* the scheme is keyd's only one, and the hash as long as a suite's */
}

/* The server's certificate is compared, not verified: the only server that keyd's CA ever vouched for is this one. */
static bool is_own_server(const struct transcript *transcript, const struct keystore *keystore)
{
    return bytes_equal(transcript->leaf, keystore_certificate(keystore, KEY_SERVER)) &&
           transcript->scheme == SCHEME_ECDSA_P256_SHA256;
}

/* What the client would have to sign: with its leaf alone, and with leaf and issuer. */
static void predict(uint8_t out[EXPECTATION_CANDIDATES][KEYSTORE_DIGEST], const struct transcript *transcript,
                    const struct keystore *keystore)
{
    const struct bytes chain[EXPECTATION_CANDIDATES] = {keystore_certificate(keystore, KEY_CLIENT),
                                                        keystore_certificate(keystore, KEY_CA)};
    uint8_t hash[TRANSCRIPT_HASH];
    for (size_t i = 0; i < EXPECTATION_CANDIDATES; i++) {
        transcript_hash_with_chain(hash, transcript, chain, i + 1);
        verify_digest(out[i], PURPOSE_ROLE_CLIENT, hash, transcript->hash.len);
    }
}

enum refusal binding_expect(struct expectation_source *source, const struct keystore *keystore, struct bytes messages,
                            uint64_t now_ms)
{
    struct transcript transcript;
    uint8_t digest[KEYSTORE_DIGEST], candidates[EXPECTATION_CANDIDATES][KEYSTORE_DIGEST];
    if (!transcript_parse(&transcript, messages, TRANSCRIPT_TO_FINISHED)) return REFUSAL_TRANSCRIPT;
    if (!is_own_server(&transcript, keystore)) return REFUSAL_SERVER;
    verify_digest(digest, PURPOSE_ROLE_SERVER, transcript.signed_hash, transcript.hash.len);
    if (!expectation_take_signature(source, digest, transcript.signature, now_ms)) return REFUSAL_SERVER;
    predict(candidates, &transcript, keystore);
    expectation_add(source, candidates, now_ms);
    return REFUSAL_NONE;
}

static bool is_in_its_time(const struct certificate_info *info, uint64_t now_s)
{
    return now_s >= info->not_before && now_s <= info->not_after;
}

enum refusal binding_client(uint8_t out_digest[KEYSTORE_DIGEST], const struct keystore *keystore, const char *server,
                            struct bytes messages, uint64_t now_s)
{
    struct transcript transcript;
    uint8_t digest[KEYSTORE_DIGEST], hash[TRANSCRIPT_HASH], candidates[EXPECTATION_CANDIDATES][KEYSTORE_DIGEST];
    if (!transcript_parse(&transcript, messages, TRANSCRIPT_TO_CLIENT_CERTIFICATE)) return REFUSAL_TRANSCRIPT;
    if (!is_own_server(&transcript, keystore) || !keystore_is_server_name(keystore, server) ||
        !is_in_its_time(keystore_info(keystore, KEY_SERVER), now_s))
        return REFUSAL_SERVER;
    verify_digest(digest, PURPOSE_ROLE_SERVER, transcript.signed_hash, transcript.hash.len);
    if (!keystore_verify(keystore, KEY_SERVER, digest, transcript.signature)) return REFUSAL_SERVER;

    /* With the client's Certificate as it should be, its hash is one of those that can be foretold. */
    transcript_hash_finish(hash, &transcript.whole_hash);
    verify_digest(out_digest, PURPOSE_ROLE_CLIENT, hash, transcript.hash.len);
    predict(candidates, &transcript, keystore);
    for (size_t i = 0; i < EXPECTATION_CANDIDATES; i++) {
        if (CRYPTO_memcmp(candidates[i], out_digest, KEYSTORE_DIGEST) == 0) return REFUSAL_NONE;
    }
    return REFUSAL_TRANSCRIPT;
}
