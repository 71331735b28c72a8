#include "web/proxy/fields.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct fields_nominated nothing;

Test(fields, a_client_says_nothing_in_this_servers_name)
{
    static const char *const ours[] = {
        "Client-Cert",
        "client-cert",
        "CLIENT_CERT",
        "Client.Cert",
        "Client-Cert-Chain",
        "X-Client-Cert",
        "X-Client-Cert-Subject",
        "x_client_cert_verified",
        "X-Client_Cert-Anything",
        "X~Client~Cert~Serial",
        "Forwarded",
        "X-Forwarded-For",
        "x_forwarded_proto",
        "X-Forwarded-Host",
        "X-Forwarded-Prefix",
        "X-Real-IP",
        "X_Real_IP",
        "X-Request-Id",
        "Host",
        "Proxy",
        "Content-Length",
        "Content_Length",
        "Transfer-Encoding",
        "Transfer_Encoding",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Expect",
        "Proxy-Authorization",
    };
    static const char *const theirs[] = {"Accept",      "Cookie", "X-Client", "Client-Certain",
                                         "X-Forward",   "Hosts",  "Via",      "Authorization",
                                         "X-Client-Ce", "Origin", "T",        "Content-Type"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        cr_expect_not(fields_request_passes(&nothing, ours[i]), "%s", ours[i]);
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        bool passes = fields_request_passes(&nothing, theirs[i]);
        cr_expect_eq(passes, strcmp(theirs[i], "Client-Certain") != 0, "%s", theirs[i]);
    }
}

Test(fields, an_application_says_what_it_likes_but_frames_nothing)
{
    static const char *const gone[] = {"Connection",   "Transfer-Encoding", "Content-Length",     "Upgrade", "Trailer",
                                       "X-Request-Id", "Keep-Alive",        "Proxy-Authenticate", "TE"};
    static const char *const kept[] = {"Set-Cookie", "Server", "Date", "Via", "X-Forwarded-For", "Host", "Vary"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        cr_expect_not(fields_answer_passes(&nothing, gone[i]), "%s", gone[i]);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        cr_expect(fields_answer_passes(&nothing, kept[i]), "%s", kept[i]);
}

Test(fields, what_connection_names_stays)
{
    struct fields_nominated nominated = {{0}, 0};
    cr_assert(fields_nominate(&nominated, "X-A , x-b"));
    cr_assert(fields_nominate(&nominated, ""));
    cr_assert(fields_nominate(&nominated, ",,\tX-C"));
    for (const char *const *name = (const char *const[]){"x-a", "X-B", "x-C", NULL}; *name != NULL; name++) {
        cr_expect(fields_is_nominated(&nominated, *name), "%s", *name);
        cr_expect_not(fields_request_passes(&nominated, *name));
        cr_expect_not(fields_answer_passes(&nominated, *name));
    }
    for (const char *const *name = (const char *const[]){"x", "X-AB", "X-", "", NULL}; *name != NULL; name++)
        cr_expect_not(fields_is_nominated(&nominated, *name), "%s", *name);
}

Test(fields, limits_what_connection_names)
{
    struct fields_nominated nominated = {{0}, 0};
    char value[LIMIT_PROXY_CONNECTION];
    memset(value, 'a', sizeof(value));
    value[LIMIT_PROXY_CONNECTION - 1] = '\0';
    cr_expect_not(fields_nominate(&nominated, value));
    value[LIMIT_PROXY_CONNECTION - 2] = '\0';
    cr_expect(fields_nominate(&nominated, value));
    cr_expect(fields_is_nominated(&nominated, value));
    cr_expect_not(fields_nominate(&nominated, ""));
}
