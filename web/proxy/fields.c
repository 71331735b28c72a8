#include "web/proxy/fields.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool fields_nominate(struct fields_nominated *nominated, const char *value)
{
    size_t len = strlen(value);
    if (len + 2 > sizeof(nominated->list) - nominated->len) return false;
    memcpy(nominated->list + nominated->len, value, len);
    nominated->len += len;
    nominated->list[nominated->len++] = ',';
    nominated->list[nominated->len] = '\0';
    return true;
}

bool fields_is_nominated(const struct fields_nominated *nominated, const char *name)
{
    size_t name_len = strlen(name);
    for (const char *at = nominated->list + strspn(nominated->list, ", \t"); *at != '\0'; at += strspn(at, ", \t")) {
        size_t len = strcspn(at, ", \t");
        if (len == name_len && strncasecmp(at, name, len) == 0) return true;
        at += len;
    }
    return false;
}

/* For one connection alone: RFC 9110, 7.6.1 and 11.7; RFC 9113, 8.2.2. What frames the message is written anew. */
#define FOR_ONE_CONNECTION                                                                                             \
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", \
        "proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "content-length"

/* "proxy" would be the variable HTTP_PROXY of a CGI program. */
static const char *const request_names[] = {
    FOR_ONE_CONNECTION, "host", "expect", "forwarded", "proxy", "x-real-ip", "x-request-id",
};
static const char *const request_prefixes[] = {"client-cert", "x-client-cert", "x-forwarded"};
static const char *const answer_names[] = {FOR_ONE_CONNECTION, "x-request-id"};

/* RFC 9110, 6.5.1, and 5 to 15 for the names; what begins with "sec-" a browser vouches for. */
static const char *const head_names[] = {
    "host",
    "max-forwards",
    "cache-control",
    "pragma",
    "expires",
    "age",
    "date",
    "vary",
    "warning",
    "location",
    "retry-after",
    "range",
    "accept-ranges",
    "expect",
    "authorization",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "authentication-info",
    "origin",
    "content-type",
    "content-encoding",
    "content-range",
    "content-location",
};
static const char *const head_prefixes[] = {"if-", "sec-"};

/* Whether the name begins with the text, when every character but letters and digits is taken for a hyphen. */
static bool begins(const char *name, const char *text)
{
    for (; *text != '\0'; name++, text++) {
        unsigned char c = (unsigned char)*name;
        char plain = isalnum(c) ? (char)tolower(c) : c != '\0' ? '-' : '\0';
        if (plain != *text) return false;
    }
    return true;
}

static bool is_one_of(const char *name, const char *const *names, size_t num_names)
{
    for (size_t i = 0; i < num_names; i++) {
        if (strlen(name) == strlen(names[i]) && begins(name, names[i])) return true;
    }
    return false;
}

#define LENGTH_OF(array) (sizeof(array) / sizeof(array)[0])

bool fields_request_passes(const struct fields_nominated *nominated, const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(request_prefixes); i++) {
        if (begins(name, request_prefixes[i])) return false;
    }
    return !is_one_of(name, request_names, LENGTH_OF(request_names)) && !fields_is_nominated(nominated, name);
}

bool fields_answer_passes(const struct fields_nominated *nominated, const char *name)
{
    return !is_one_of(name, answer_names, LENGTH_OF(answer_names)) && !fields_is_nominated(nominated, name);
}

static bool is_of_head(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(head_prefixes); i++) {
        if (begins(name, head_prefixes[i])) return true;
    }
    return is_one_of(name, head_names, LENGTH_OF(head_names));
}

bool fields_request_trailer_passes(const struct fields_nominated *nominated, const char *name)
{
    return !is_of_head(name) && fields_request_passes(nominated, name);
}

bool fields_answer_trailer_passes(const struct fields_nominated *nominated, const char *name)
{
    return !is_of_head(name) && fields_answer_passes(nominated, name);
}
