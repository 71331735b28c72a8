#include "browser-shim/exec_options.h"

#include <criterion/criterion.h>
#include <string.h>

static struct exec_options options;
static struct diag diag;

/* Parses the words behind "browser-shim exec", which end with NULL. */
static enum err parse(char *const *words)
{
    static char *argv[16];
    int argc = 0;
    argv[argc++] = (char[]){"browser-shim"};
    argv[argc++] = (char[]){"exec"};
    for (size_t i = 0; words[i] != NULL; i++) argv[argc++] = words[i];
    argv[argc] = NULL;
    diag.text[0] = '\0';
    return exec_options_parse(&options, argc, argv, &diag);
}

#define PARSE(...) parse((char *const[]){__VA_ARGS__, NULL})

Test(exec_options, a_command_alone)
{
    cr_assert_eq(PARSE("curl", "-v", "--label", "x"), ERR_OK, "%s", diag.text);
    cr_expect_eq(options.lifetime_s, 60);
    cr_expect_eq(options.pin, EXEC_PIN_COMMAND);
    cr_expect_eq(options.max_signatures, 0);
    cr_expect_not(options.verbose, "the option is the command's");
    cr_expect_str_eq(options.label, "browser-shim exec");
    cr_expect_str_eq(options.command[0], "curl");
    cr_expect_str_eq(options.command[3], "x");
    cr_expect_null(options.command[4]);
}

Test(exec_options, all_of_them)
{
    cr_assert_eq(
        PARSE("--handle-ttl", "5m", "--label", "l", "--max", "3", "--pin", "first", "--p11-kit", "-v", "--", "-x"),
        ERR_OK, "%s", diag.text);
    cr_expect_eq(options.lifetime_s, 300);
    cr_expect_str_eq(options.label, "l");
    cr_expect_eq(options.max_signatures, 3);
    cr_expect_eq(options.pin, EXEC_PIN_FIRST);
    cr_expect(options.p11_kit && options.verbose);
    cr_expect_str_eq(options.command[0], "-x");
}

Test(exec_options, times)
{
    static const struct {
        const char *text;
        uint32_t seconds; /* 0: refused */
    } cases[] = {{"1", 1},
                 {"60s", 60},
                 {"60m", 3600},
                 {"1h", 3600},
                 {"3600", LIMIT_HANDLE_LIFETIME_S},
                 {"3601", 0},
                 {"61m", 0},
                 {"2h", 0},
                 {"0", 0},
                 {"0s", 0},
                 {"-1", 0},
                 {"", 0},
                 {"s", 0},
                 {"5x", 0},
                 {"5ss", 0},
                 {" 5", 0},
                 {"1d", 0},
                 {"18446744073709551617", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        strcpy(text, cases[i].text);
        const enum err err = PARSE("--handle-ttl", text, "true");
        cr_expect_eq(err, cases[i].seconds != 0 ? ERR_OK : ERR_INPUT, "'%s'", text);
        if (err == ERR_OK) cr_expect_eq(options.lifetime_s, cases[i].seconds, "'%s'", text);
    }
}

Test(exec_options, labels_at_the_limit)
{
    char label[LIMIT_LABEL + 2];
    memset(label, 'l', sizeof label);
    label[LIMIT_LABEL] = '\0';
    cr_expect_eq(PARSE("--label", label, "true"), ERR_OK);
    label[LIMIT_LABEL] = 'l';
    label[LIMIT_LABEL + 1] = '\0';
    cr_expect_eq(PARSE("--label", label, "true"), ERR_INPUT);
    cr_expect_eq(PARSE("--label", (char[]){"a\nb"}, "true"), ERR_INPUT);
}

Test(exec_options, help_needs_no_command)
{
    cr_assert_eq(PARSE("--help"), ERR_OK);
    cr_expect(options.help);
    cr_expect_eq(parse((char *const[]){NULL}), ERR_INPUT);
}
