#include "base/bytes.h"

#include <criterion/criterion.h>

Test(bytes, equal_compares_length_and_contents)
{
    static const uint8_t abc[] = "abc";
    static const uint8_t abd[] = "abd";
    cr_expect(bytes_equal((struct bytes){abc, 3}, (struct bytes){abc, 3}));
    cr_expect(!bytes_equal((struct bytes){abc, 3}, (struct bytes){abd, 3}));
    cr_expect(!bytes_equal((struct bytes){abc, 3}, (struct bytes){abc, 2}));
    cr_expect(bytes_equal((struct bytes){abc, 2}, (struct bytes){abd, 2}));
}

Test(bytes, empty_ones_are_equal_wherever_they_point)
{
    static const uint8_t abc[] = "abc";
    cr_expect(bytes_equal((struct bytes){NULL, 0}, (struct bytes){abc, 0}));
    cr_expect(!bytes_equal((struct bytes){NULL, 0}, (struct bytes){abc, 1}));
}

Test(bytes, hex_is_lower_case_and_ends)
{
    static const uint8_t in[] = {0x00, 0x0f, 0xf0, 0xab, 0xff};
    char out[12];
    memset(out, 'z', sizeof(out));
    bytes_hex(out, (struct bytes){in, sizeof(in)});
    cr_expect_str_eq(out, "000ff0abff");
    cr_expect_eq(out[11], 'z', "it writes 2 * len + 1 characters");
    bytes_hex(out, (struct bytes){NULL, 0});
    cr_expect_str_eq(out, "");
}
