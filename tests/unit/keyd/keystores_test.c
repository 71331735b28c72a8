/* The keystores of setups that follow each other: which is in force, which stay for the workers of which, and that the others'
 * secrets are wiped. */
#include "keyd/keystores.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "keyd/secret_memory.h"

static struct keystores keystores;
static size_t secret_of_none, secret_of_one; /* bytes; of the first, what BoringSSL keeps for itself */

static struct keystore *make(void)
{
    static const struct keyd_setup setup = {
        .dns_names = {"localhost"},
        .num_dns_names = 1,
        .ca_lifetime_s = 86400,
        .leaf_lifetime_s = 3600,
        .client_name = "kiosk",
    };
    struct keystore *keystore;
    struct diag diag = {0};
    cr_assert_eq(keystore_new(&keystore, &setup, clock_wall_s(), &diag), ERR_OK, "%s", diag.text);
    return keystore;
}

static struct keystore *add(uint64_t setup)
{
    struct keystore *keystore = make();
    cr_assert_eq(keystores_add(&keystores, setup, keystore), ERR_OK);
    return keystore;
}

/* How many are in memory: their certificates differ by a few bytes. */
static size_t num_alive(void)
{
    return (secret_memory_in_use() - secret_of_none + secret_of_one / 2) / secret_of_one;
}

static void setup(void)
{
    keystore_free(make());
    secret_of_none = secret_memory_in_use();
    struct keystore *one = make();
    secret_of_one = secret_memory_in_use() - secret_of_none;
    cr_assert_gt(secret_of_one, 0);
    keystore_free(one);
    cr_assert_eq(secret_memory_in_use(), secret_of_none);
}

TestSuite(keystores, .init = setup);

Test(keystores, the_first_is_in_force_until_another_is_settled)
{
    cr_assert_null(keystores_in_force(&keystores));
    cr_assert_null(keystores_enter(&keystores, 0));
    cr_assert_null(keystores_newest(&keystores));
    struct keystore *first = add(1), *second = add(2);
    cr_assert_eq(keystores_in_force(&keystores), first);
    cr_assert_eq(keystores_newest(&keystores), second);
    keystores_settle(&keystores, 2);
    cr_assert_eq(keystores_in_force(&keystores), second);
    keystores_free(&keystores);
    cr_assert_eq(secret_memory_in_use(), secret_of_none);
}

Test(keystores, a_worker_keeps_the_keys_of_its_setup)
{
    struct keystore *first = add(1);
    struct keystores_row *old = keystores_enter(&keystores, 1), *other = keystores_enter(&keystores, 0);
    cr_assert_eq(old->keystore, first);
    cr_assert_eq(other, old, "0 is the one in force");
    struct keystore *second = add(2);
    struct keystores_row *new = keystores_enter(&keystores, 2);
    cr_assert_eq(new->keystore, second);
    keystores_settle(&keystores, 2);
    cr_assert_eq(num_alive(), 2);
    keystores_leave(&keystores, old);
    cr_assert_eq(old->keystore, first, "the other worker has it");
    keystores_leave(&keystores, other);
    cr_assert_eq(num_alive(), 1, "the last has left");
    cr_assert_eq(keystores_in_force(&keystores), second);
    keystores_leave(&keystores, new);
    cr_assert_eq(num_alive(), 1, "in force, with workers or without");
    cr_assert_null(keystores_enter(&keystores, 1));
}

/* A reload that comes to nothing: the broker settles on what there was. */
Test(keystores, what_is_not_taken_goes_when_its_workers_do)
{
    struct keystore *first = add(1);
    (void)add(2);
    struct keystores_row *row = keystores_enter(&keystores, 2);
    keystores_settle(&keystores, 1);
    cr_assert_eq(keystores_in_force(&keystores), first);
    cr_assert_eq(num_alive(), 2);
    keystores_leave(&keystores, row);
    cr_assert_eq(num_alive(), 1);
}

/* Before its workers have come it has none, and is needed all the same. */
Test(keystores, the_newest_stays_until_it_is_settled_whether_it_is_taken)
{
    (void)add(1);
    (void)add(2);
    struct keystores_row *row = keystores_enter(&keystores, 2);
    keystores_leave(&keystores, row);
    cr_assert_eq(num_alive(), 2);
    (void)add(3);
    cr_assert_eq(num_alive(), 2, "2 was neither settled nor is it the newest");
    keystores_settle(&keystores, 1);
    cr_assert_eq(num_alive(), 1);
}

Test(keystores, a_setup_that_is_not_there_settles_nothing)
{
    struct keystore *first = add(1);
    keystores_settle(&keystores, 7);
    cr_assert_eq(keystores_in_force(&keystores), first);
    cr_assert_eq(num_alive(), 1);
}

Test(keystores, there_is_room_for_so_many)
{
    for (uint64_t i = 1; i <= LIMIT_KEYD_SETUPS; i++) {
        (void)add(i);
        cr_assert_not_null(keystores_enter(&keystores, i));
    }
    struct keystore *one_more = make();
    cr_assert_eq(keystores_add(&keystores, LIMIT_KEYD_SETUPS + 1, one_more), ERR_TOO_LARGE);
    cr_assert_eq(num_alive(), LIMIT_KEYD_SETUPS + 1, "it is the caller's");
    keystores_leave(&keystores, &keystores.rows[1]);
    cr_assert_eq(keystores_add(&keystores, LIMIT_KEYD_SETUPS + 1, one_more), ERR_OK);
    keystores_free(&keystores);
    cr_assert_eq(secret_memory_in_use(), secret_of_none);
}
