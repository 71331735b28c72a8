/* The tables: how long, how many, how often. */
#include "keyd/expectation.h"

#include <criterion/criterion.h>
#include <string.h>

static struct expectations all;
static struct expectation_source *source;

static void setup(void)
{
    source = expectation_source_new(&all, NULL);
}

TestSuite(expectation, .init = setup);

/* A digest that nobody else has. */
static const struct digest *digest_of(uint32_t number)
{
    static struct digest digests[4];
    static unsigned next;
    struct digest *digest = &digests[next++ % 4];
    *digest = (struct digest){.scheme = SCHEME_ECDSA_P256_SHA256, .len = 32};
    memset(digest->data, 0x5a, 32);
    memcpy(digest->data + 28, &number, sizeof(number)); /* the others agree in all that comes before */
    return digest;
}

static void add(struct expectation_source *to, uint32_t number, uint64_t now_ms)
{
    const struct digest candidates[] = {*digest_of(number), *digest_of(number + 1)};
    expectation_add(to, 0, candidates, 2, now_ms);
}

Test(expectation, says_whose_handshake_it_is)
{
    int owner;
    struct expectation_source *other = expectation_source_new(&all, &owner);
    struct expected found = {0};
    expectation_add(other, 31, digest_of(20), 1, 1);
    expectation_add(other, UINT64_MAX, digest_of(30), 1, 1);
    add(source, 10, 1);
    cr_assert(expectations_find(&all, &found, digest_of(20), 1));
    cr_assert_eq(found.owner, &owner);
    cr_assert_eq(found.id, 31);
    cr_assert(expectations_find(&all, &found, digest_of(30), 1));
    cr_assert_eq(found.id, UINT64_MAX);
    cr_assert(expectations_find(&all, &found, digest_of(10), 1));
    cr_assert_eq(found.owner, NULL);
    cr_assert(expectations_find(&all, &found, digest_of(30), 1), "to look is not to take");
    cr_assert_not(expectations_find(&all, &found, digest_of(40), 1));
}

Test(expectation, is_used_up_with_both_candidates)
{
    for (uint32_t used = 10; used <= 11; used++) {
        add(source, 10, 1);
        cr_assert(expectations_have(&all, digest_of(10), 1));
        cr_assert(expectations_have(&all, digest_of(11), 1));
        cr_assert_not(expectations_take(&all, digest_of(12), 1));
        cr_assert(expectations_take(&all, digest_of(used), 1));
        cr_assert_not(expectations_take(&all, digest_of(10), 1));
        cr_assert_not(expectations_take(&all, digest_of(11), 1));
    }
}

Test(expectation, lives_for_seconds)
{
    add(source, 10, 100);
    cr_assert(expectations_have(&all, digest_of(10), 100 + DEADLINE_EXPECTATION_MS - 1));
    cr_assert_not(expectations_have(&all, digest_of(10), 100 + DEADLINE_EXPECTATION_MS));
    cr_assert_not(expectations_take(&all, digest_of(10), 100 + DEADLINE_EXPECTATION_MS));
    cr_assert_lt(DEADLINE_EXPECTATION_MS, 30000);
}

Test(expectation, an_unused_place_expects_nothing)
{
    static const struct digest zero = {.scheme = SCHEME_ECDSA_P256_SHA256, .len = 32};
    add(source, 10, 0);
    cr_assert_not(expectations_have(&all, &zero, 0));
    cr_assert(expectations_take(&all, digest_of(10), 0));
    cr_assert_not(expectations_have(&all, &zero, 0));
}

/* All that there may be of one handshake, each of which uses up the others. */
Test(expectation, has_room_for_each_chain_under_each_scheme)
{
    static const uint16_t schemes[] = {SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PSS_SHA384, SCHEME_RSA_PSS_SHA512};
    struct digest candidates[EXPECTATION_CANDIDATES];
    cr_assert_eq(EXPECTATION_CANDIDATES, 6);
    for (size_t i = 0; i < 6; i++) {
        candidates[i] = (struct digest){.scheme = schemes[i % 3], .len = scheme_digest_len(schemes[i % 3])};
        candidates[i].data[candidates[i].len - 1] = (uint8_t)(1 + i / 3);
    }
    for (size_t used = 0; used < 6; used++) {
        expectation_add(source, 0, candidates, 6, 1);
        for (size_t i = 0; i < 6; i++) cr_assert(expectations_have(&all, &candidates[i], 1), "%zu", i);
        cr_assert(expectations_take(&all, &candidates[used], 1));
        for (size_t i = 0; i < 6; i++) cr_assert_not(expectations_have(&all, &candidates[i], 1), "%zu", i);
    }
}

/* 32 bytes may be a digest for two schemes; what is foretold for one is not signed under the other. */
Test(expectation, the_scheme_is_part_of_it)
{
    struct digest other = *digest_of(10);
    other.scheme = SCHEME_RSA_PSS_SHA256;
    add(source, 10, 1);
    cr_assert_not(expectations_have(&all, &other, 1));
    cr_assert_not(expectations_take(&all, &other, 1));
    cr_assert(expectations_take(&all, digest_of(10), 1));
}

Test(expectation, the_oldest_goes_first)
{
    for (uint32_t i = 0; i < LIMIT_KEYD_EXPECTATIONS; i++) add(source, 10 * i, 1);
    cr_assert(expectations_have(&all, digest_of(0), 1));
    cr_assert(expectations_have(&all, digest_of(10 * (LIMIT_KEYD_EXPECTATIONS - 1)), 1));
    add(source, 10 * LIMIT_KEYD_EXPECTATIONS, 1);
    cr_assert_not(expectations_have(&all, digest_of(0), 1));
    cr_assert(expectations_have(&all, digest_of(10), 1));
    cr_assert(expectations_have(&all, digest_of(10 * LIMIT_KEYD_EXPECTATIONS), 1));
}

Test(expectation, one_channel_pushes_out_nothing_of_another)
{
    struct expectation_source *other = expectation_source_new(&all, NULL);
    add(source, 7, 1);
    for (uint32_t i = 0; i <= LIMIT_KEYD_EXPECTATIONS; i++) add(other, 10 * i, 1);
    cr_assert(expectations_take(&all, digest_of(7), 1));
}

Test(expectation, dies_with_its_channel)
{
    struct expectation_source *sources[3];
    for (uint32_t i = 0; i < 3; i++) {
        sources[i] = expectation_source_new(&all, NULL);
        add(sources[i], 10 * i, 1);
    }
    static const size_t order[] = {1, 2, 0};
    for (size_t i = 0; i < 3; i++) {
        cr_assert(expectations_have(&all, digest_of((uint32_t)(10 * order[i])), 1));
        expectation_source_free(&all, sources[order[i]]);
        for (size_t j = 0; j < 3; j++)
            cr_assert_eq(expectations_have(&all, digest_of((uint32_t)(10 * order[j])), 1), j > i);
    }
    cr_assert_eq(all.first, source);
}

static const uint8_t signature[] = {0x30, 1, 2, 3};

static bool take_signature(uint32_t number, uint64_t now_ms)
{
    return expectation_take_signature(source, KEY_SERVER, digest_of(number),
                                      (struct bytes){signature, sizeof(signature)}, now_ms);
}

static void note(uint32_t number, uint64_t now_ms)
{
    expectation_note_signature(source, KEY_SERVER, digest_of(number), (struct bytes){signature, sizeof(signature)},
                               now_ms);
}

Test(expectation, a_signature_is_referred_to_once)
{
    note(1, 1);
    note(2, 1);
    cr_assert(take_signature(1, 1));
    cr_assert_not(take_signature(1, 1));
    cr_assert(take_signature(2, 1));
    cr_assert_not(take_signature(3, 1));
    cr_assert_not(expectation_take_signature(source, KEY_SERVER, digest_of(1), (struct bytes){signature, 0}, 1));
}

Test(expectation, it_is_the_very_signature)
{
    note(1, 1);
    cr_assert_not(expectation_take_signature(source, KEY_SERVER, digest_of(1), (struct bytes){signature, 3}, 1));
    cr_assert_not(expectation_take_signature(source, KEY_SERVER, digest_of(1), (struct bytes){signature + 1, 3}, 1));
    cr_assert(take_signature(1, 1));
}

Test(expectation, a_signature_is_remembered_for_seconds)
{
    note(1, 100);
    note(2, 100);
    cr_assert(take_signature(1, 100 + DEADLINE_SIGNED_MS - 1));
    cr_assert_not(take_signature(2, 100 + DEADLINE_SIGNED_MS));
}

Test(expectation, so_many_signatures_are_remembered)
{
    for (uint32_t i = 0; i < LIMIT_KEYD_SIGNED; i++) note(i, 1);
    note(LIMIT_KEYD_SIGNED, 1);
    cr_assert_not(take_signature(0, 1));
    cr_assert(take_signature(1, 1));
    cr_assert(take_signature(LIMIT_KEYD_SIGNED, 1));
}
