#include "browser-shim/client_options.h"

#include <criterion/criterion.h>
#include <string.h>

#include "browser-shim/client.h"

static struct client_options options;
static struct diag diag;

/* Parses the words, which end with NULL. */
static enum err parse(char *const *words)
{
    static char *argv[16];
    int argc = 0;
    argv[argc++] = (char[]){"browser-shim"};
    while (words[argc - 1] != NULL) {
        argv[argc] = words[argc - 1];
        argc++;
    }
    argv[argc] = NULL;
    diag.text[0] = '\0';
    return client_options_parse(&options, argc, argv, &diag);
}

#define PARSE(...) parse((char *const[]){__VA_ARGS__, NULL})

Test(client_options, get)
{
    cr_assert_eq(PARSE("get", "https://localhost:9000/hello"), ERR_OK, "%s", diag.text);
    cr_expect_eq(options.command, CLIENT_GET);
    cr_expect_str_eq(options.address.host, "localhost");
    cr_expect_str_eq(options.url.target, "/hello");
    cr_expect_null(options.output);
    cr_expect_null(options.runtime_dir);
    cr_expect_null(options.upload);
    cr_expect_not(options.verbose);
}

Test(client_options, flags_stand_anywhere)
{
    cr_assert_eq(PARSE("get", "-v", "https://a/", "-o", "file", "--runtime-dir", "/run/x"), ERR_OK, "%s", diag.text);
    cr_expect(options.verbose);
    cr_expect_str_eq(options.output, "file");
    cr_expect_str_eq(options.runtime_dir, "/run/x");
    cr_assert_eq(PARSE("get", "--runtime-dir=/run/y", "--output=f", "https://a/"), ERR_OK);
    cr_expect_str_eq(options.runtime_dir, "/run/y");
    cr_expect_str_eq(options.output, "f");
}

Test(client_options, put)
{
    cr_assert_eq(PARSE("put", "file", "https://localhost:9000/upload/a"), ERR_OK);
    cr_expect_eq(options.command, CLIENT_PUT);
    cr_expect_str_eq(options.upload, "file");
    cr_expect_str_eq(options.url.target, "/upload/a");
}

Test(client_options, trace)
{
    cr_assert_eq(PARSE("trace", "https://localhost:9000/hello", "--cacert", "ca.pem", "--from", "7"), ERR_OK, "%s",
                 diag.text);
    cr_expect_eq(options.command, CLIENT_TRACE);
    cr_expect_str_eq(options.address.port, "9000");
    cr_expect_str_eq(options.cacert, "ca.pem");
    cr_expect_eq(options.from, 7);
    cr_expect_not(options.json);
    cr_expect_not(options.tls12);
    cr_assert_eq(PARSE("trace", "--json", "--tls12", "https://localhost/"), ERR_OK, "%s", diag.text);
    cr_expect(options.json);
    cr_expect(options.tls12);
    cr_expect_eq(PARSE("trace"), ERR_INPUT);
    cr_expect_eq(PARSE("trace", "https://localhost/", "https://localhost/"), ERR_INPUT);
    cr_expect_eq(PARSE("trace", "localhost:9000"), ERR_INPUT);
}

Test(client_options, what_is_for_trace_is_for_nothing_else)
{
    cr_expect_eq(PARSE("get", "--tls12", "https://localhost/"), ERR_INPUT);
    cr_expect(strstr(diag.text, "is for trace") != NULL, "%s", diag.text);
    cr_expect_eq(PARSE("echo", "--tls12", "localhost:9001", "hello"), ERR_INPUT);
    cr_expect(strstr(diag.text, "is for trace") != NULL, "%s", diag.text);
}

Test(client_options, what_would_do_nothing_is_a_mistake)
{
    cr_expect_eq(PARSE("get", "-d", "x", "https://localhost/"), ERR_INPUT);
    cr_expect_eq(PARSE("put", "-d", "x", "file", "https://localhost/"), ERR_INPUT);
    cr_expect_eq(PARSE("trace", "-H", "A: b", "https://localhost/"), ERR_INPUT);
    cr_expect_eq(PARSE("echo", "--json", "localhost:9001", "hello"), ERR_INPUT);
    cr_expect_eq(PARSE("get", "-H", "nonsense", "https://localhost/"), ERR_INPUT);
}

Test(client_options, post)
{
    cr_assert_eq(PARSE("post", "-d", "a=b", "-H", "A: b", "--header=C: d", "https://localhost/x"), ERR_OK, "%s",
                 diag.text);
    cr_expect_eq(options.command, CLIENT_POST);
    cr_expect_str_eq(options.data, "a=b");
    cr_expect_null(options.upload);
    cr_expect_eq(options.fields.num, 2);
    cr_expect_str_eq(options.fields.lines[1], "C: d");
    cr_assert_eq(PARSE("post", "--data", "@file", "https://localhost/x"), ERR_OK);
    cr_expect_null(options.data);
    cr_expect_str_eq(options.upload, "file");
    cr_assert_eq(PARSE("post", "--data=-", "--json", "https://localhost/x"), ERR_OK);
    cr_expect_str_eq(options.upload, "-");
    cr_expect(options.json);
    cr_assert_eq(PARSE("post", "https://localhost/x"), ERR_OK);
    cr_expect_str_eq(options.data, "", "an empty body is one too");
    cr_expect_eq(PARSE("post", "-d", "x"), ERR_INPUT);
}

Test(client_options, echo)
{
    cr_assert_eq(PARSE("echo", "localhost:9001", "one", "two words"), ERR_OK);
    cr_expect_eq(options.command, CLIENT_ECHO);
    cr_expect_str_eq(options.address.port, "9001");
    cr_assert_eq(options.num_messages, 2);
    cr_expect_str_eq(options.messages[1], "two words");
    cr_assert_eq(PARSE("echo", "localhost:9001", "--", "-v"), ERR_OK);
    cr_assert_eq(options.num_messages, 1);
    cr_expect_str_eq(options.messages[0], "-v");
    cr_expect_not(options.verbose);
}

Test(client_options, derive_from_a_handle)
{
    cr_assert_eq(PARSE("get", "https://a/"), ERR_OK);
    cr_expect_eq(options.from, 0);
    cr_assert_eq(PARSE("get", "--from", "7", "https://a/"), ERR_OK);
    cr_expect_eq(options.from, 7);
    cr_assert_eq(PARSE("get", "--from=18446744073709551615", "https://a/"), ERR_OK);
    cr_expect_eq(options.from, UINT64_MAX);
}

Test(client_options, cacert)
{
    cr_assert_eq(PARSE("get", "https://a/"), ERR_OK);
    cr_expect_null(options.cacert);
    cr_assert_eq(PARSE("get", "--cacert", "ca.pem", "https://a/"), ERR_OK, "%s", diag.text);
    cr_expect_str_eq(options.cacert, "ca.pem");
    cr_assert_eq(PARSE("put", "--cacert=ca.pem", "file", "https://a/"), ERR_OK, "%s", diag.text);
    cr_assert_eq(PARSE("echo", "a:1", "hello", "--cacert", "ca.pem"), ERR_OK, "%s", diag.text);
    cr_expect_str_eq(options.cacert, "ca.pem");
}

Test(client_options, help)
{
    cr_assert_eq(PARSE("--help"), ERR_OK);
    cr_expect_eq(options.command, CLIENT_HELP);
    cr_assert_eq(PARSE("get", "--help"), ERR_OK);
    cr_expect_eq(options.command, CLIENT_HELP);
    cr_expect(strstr(client_usage, "browser-shim put") != NULL);
}

Test(client_options, says_what_is_wrong)
{
    static char *const rows[][6] = {
        {"get"},
        {"get", "https://a/", "https://b/"},
        {"get", "http://a/"},
        {"get", "--unknown", "https://a/"},
        {"get", "-x", "https://a/"},
        {"get", "https://a/", "-o"},
        {"get", "https://a/", "--runtime-dir"},
        {"get", "https://a/", "--cacert"},
        {"get", "https://a/", "--from"},
        {"get", "https://a/", "--from", ""},
        {"get", "https://a/", "--from", "0"},
        {"get", "https://a/", "--from", "-1"},
        {"get", "https://a/", "--from", "7x"},
        {"get", "https://a/", "--from", "18446744073709551616"},
        {"put", "https://a/"},
        {"put", "file", "https://a/", "more"},
        {"echo", "localhost:9001"},
        {"echo", "localhost", "x"},
        {"echo", "localhost:9001", "two\nlines"},
        {"echo", "localhost:9001", "one\rmore"},
        {"patch", "https://a/"},
        {"post", "file", "https://a/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(parse(rows[i]), ERR_INPUT, "row %zu", i);
        cr_expect_neq(diag.text[0], '\0', "row %zu", i);
    }
}

Test(client_options, bounds_messages)
{
    static char message[LIMIT_ECHO_LINE + 2];
    memset(message, 'a', LIMIT_ECHO_LINE);
    cr_expect_eq(PARSE("echo", "a:1", message), ERR_OK);
    message[LIMIT_ECHO_LINE] = 'a';
    cr_expect_eq(PARSE("echo", "a:1", message), ERR_INPUT);
}

Test(client_options, knows_its_commands)
{
    cr_expect(client_is_command("get"));
    cr_expect(client_is_command("put"));
    cr_expect(client_is_command("echo"));
    cr_expect(client_is_command("--help"));
    cr_expect_not(client_is_command("run"));
    cr_expect_not(client_is_command(""));
}
