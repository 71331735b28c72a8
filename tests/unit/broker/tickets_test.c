/* The keys of session tickets: how many there are, and for how long. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"

static struct broker broker;

struct file {
    uint8_t keys[4 * LIMIT_TICKET_KEY];
    size_t num;
};

static struct file read_keys(void)
{
    struct file file;
    int fd = tickets_file(&broker.tickets);
    ssize_t got = pread(fd, file.keys, sizeof file.keys, 0);
    cr_assert(got > 0 && got % (ssize_t)LIMIT_TICKET_KEY == 0);
    cr_assert_eq(pwrite(fd, "x", 1, 0), -1, "nobody can change it");
    close(fd);
    file.num = (size_t)got / LIMIT_TICKET_KEY;
    return file;
}

static bool has(const struct file *file, size_t at, const struct file *other, size_t other_at)
{
    return memcmp(file->keys + at * LIMIT_TICKET_KEY, other->keys + other_at * LIMIT_TICKET_KEY, LIMIT_TICKET_KEY) == 0;
}

static void begin(void)
{
    struct diag diag;
    cr_assert_eq(tickets_begin(&broker.tickets, &diag), ERR_OK, "%s", diag.text);
}

Test(tickets, change_when_it_is_time)
{
    begin();
    const uint64_t at = broker.tickets.rotate_at;
    cr_assert_leq(at, clock_monotonic_ms() + UINT64_C(1000) * LIMIT_TICKET_KEY_S);
    const struct file first = read_keys();
    cr_assert_eq(first.num, 1);
    tickets_rotate(&broker, at - 1);
    struct file same = read_keys();
    cr_assert(same.num == 1 && has(&same, 0, &first, 0));

    tickets_rotate(&broker, at);
    const struct file second = read_keys();
    cr_assert_eq(second.num, 2);
    cr_assert(has(&second, 1, &first, 0));
    cr_assert_not(has(&second, 0, &first, 0));
    cr_assert_eq(broker.tickets.rotate_at, at + UINT64_C(1000) * LIMIT_TICKET_KEY_S);

    tickets_rotate(&broker, broker.tickets.rotate_at);
    const struct file third = read_keys();
    cr_assert_eq(third.num, LIMIT_TICKET_KEYS);
    cr_assert(has(&third, 1, &second, 0));
    cr_assert_not(has(&third, 0, &first, 0) || has(&third, 1, &first, 0), "used for one time, known for another");
    cr_assert_leq(2 * LIMIT_TICKET_KEY_S, LIMIT_TICKET_LIFETIME_S);
}

Test(tickets, leave_nothing_when_they_are_replaced)
{
    begin();
    tickets_rotate(&broker, broker.tickets.rotate_at);
    const struct file before = read_keys();
    tickets_replace(&broker.tickets);
    const struct file after = read_keys();
    cr_assert_eq(after.num, 1);
    cr_assert_not(has(&after, 0, &before, 0) || has(&after, 0, &before, 1));
}

Test(tickets, are_none_where_there_is_no_resumption)
{
    tickets_replace(&broker.tickets);
    tickets_rotate(&broker, UINT64_MAX);
    cr_assert_null(broker.tickets.keys);
    cr_assert_eq(broker.tickets.rotate_at, 0);
}
