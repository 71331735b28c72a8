#include "base/err.h"

#include <criterion/criterion.h>
#include <string.h>

Test(err, every_error_has_its_own_name)
{
    for (enum err a = ERR_OK; a <= ERR_TIMEOUT; a++) {
        cr_expect_str_neq(err_name(a), "unknown");
        for (enum err b = ERR_OK; b < a; b++) cr_expect_str_neq(err_name(a), err_name(b));
    }
    cr_expect_str_eq(err_name((enum err)99), "unknown");
}

Test(err, exit_codes_tell_input_from_system)
{
    for (enum err err = ERR_OK; err <= ERR_TIMEOUT; err++) {
        int want = 111;
        if (err == ERR_OK) want = 0;
        if (err == ERR_INPUT || err == ERR_NOT_FOUND) want = 100;
        cr_expect_eq(err_exit_code(err), want, "%s", err_name(err));
    }
}

Test(diag, formats_and_returns_the_error)
{
    struct diag diag = {{0}};
    cr_expect_eq(diag_set(&diag, ERR_INPUT, "file '%s': mode %04o", "x", 0644u), ERR_INPUT);
    cr_expect_str_eq(diag.text, "file 'x': mode 0644");
}

Test(diag, may_be_null)
{
    cr_expect_eq(diag_set(NULL, ERR_DENIED, "%s", "nobody reads this"), ERR_DENIED);
}

Test(diag, shows_control_characters_as_question_marks)
{
    struct diag diag = {{0}};
    const enum err err = diag_set(&diag, ERR_INPUT, "a\nb\033[31mc\177\303\251");
    cr_expect_eq(err, ERR_INPUT);
    cr_expect_str_eq(diag.text, "a?b?[31mc?\303\251");
}

Test(diag, cuts_what_is_too_long)
{
    struct diag diag = {{0}};
    char text[2 * sizeof(diag.text)];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const enum err err = diag_set(&diag, ERR_INPUT, "%s", text);
    cr_expect_eq(err, ERR_INPUT);
    cr_expect_eq(strlen(diag.text), sizeof(diag.text) - 1);
}
