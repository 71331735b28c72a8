#include "browser-shim/client_echo.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/browser_shim/client/peer.h"

static struct diag diag;
static char heard[4 * LIMIT_ECHO_LINE];

/* Sends messages to a server and keeps what the client writes out. */
static enum err say(const struct peer_server *server, char *const *messages, size_t num)
{
    struct client_address address = {.host = "localhost"};
    struct client_handle handle;
    struct client_tls *tls;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    peer_start_keyd(&handle, KEYD_SIGNS);
    int fd = peer_start_server(server);
    /* After the others have started, so that only we hold the pipe. */
    cr_assert_eq(pipe(ends), 0);
    struct client_output output = {.fd = ends[1], .dir = -1};
    cr_assert_eq(client_tls_new(&tls, fd, &handle, &address, CLIENT_TLS_LINES, &diag), ERR_OK);
    cr_assert_eq(client_tls_handshake(tls, &diag), ERR_OK, "%s", diag.text);
    enum err err = client_echo(tls, &output, messages, num, &diag);
    client_tls_free(tls);
    close(ends[1]);
    size_t len = 0;
    for (ssize_t part; (part = read(ends[0], heard + len, sizeof heard - 1 - len)) > 0;) len += (size_t)part;
    heard[len] = '\0';
    return err;
}

Test(client_echo, prints_each_answer)
{
    char *messages[] = {"one", "", "two words"};
    cr_expect_eq(say(&(struct peer_server){.behaviour = PEER_ECHOES}, messages, 3), ERR_OK, "%s", diag.text);
    cr_expect_str_eq(heard, "then there one\nthen there \nthen there two words\n");
}

Test(client_echo, sends_the_longest_line)
{
    static char longest[LIMIT_ECHO_LINE + 1];
    memset(longest, 'm', LIMIT_ECHO_LINE);
    char *messages[] = {longest};
    cr_expect_eq(say(&(struct peer_server){.behaviour = PEER_ECHOES}, messages, 1), ERR_OK, "%s", diag.text);
    cr_expect_eq(strlen(heard), strlen("then there ") + LIMIT_ECHO_LINE + 1);
}

Test(client_echo, notices_what_is_no_echo)
{
    char *messages[] = {"one", "two"};
    cr_expect_eq(say(&(struct peer_server){.behaviour = PEER_MUMBLES}, messages, 2), ERR_MALFORMED);
    cr_expect_str_eq(heard, "then there no\n");
    cr_expect(strstr(diag.text, "did not echo") != NULL);
}

Test(client_echo, bounds_an_answer)
{
    char *messages[] = {"one"};
    cr_expect_eq(say(&(struct peer_server){.behaviour = PEER_NEVER_ENDS}, messages, 1), ERR_TOO_LARGE);
    cr_expect_str_eq(heard, "");
}

Test(client_echo, notices_the_end)
{
    char *messages[] = {"one"};
    cr_expect_eq(say(&(struct peer_server){.behaviour = PEER_TLS}, messages, 1), ERR_CLOSED);
    cr_expect(strstr(diag.text, "before it answered") != NULL);
}
