#include "web/http/request.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

static const struct fault ok;

static struct fault bad(const char *reason)
{
    return (struct fault){HTTP_STATUS_BAD_REQUEST, reason};
}

void request_init(struct request *request, enum request_version version)
{
    *request = (struct request){.version = version, .method = REQUEST_METHOD_UNKNOWN};
}

void request_cleanup(struct request *request)
{
    target_cleanup(&request->target);
    free(request->if_match);
    free(request->if_none_match);
    free(request->if_range);
    free(request->range);
    free(request->referer);
    free(request->user_agent);
    free(request->kept);
    request->referer = request->user_agent = request->kept = NULL;
    request->kept_len = request->kept_room = 0;
    request->if_match = request->if_none_match = request->if_range = request->range = NULL;
}

static bool names(struct bytes text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

void request_set_method(struct request *request, struct bytes name)
{
    for (int method = HTTP_DELETE; method <= HTTP_SOURCE; method++) {
        const char *text = http_method_str((enum http_method)method);
        if (name.len == strlen(text) && memcmp(name.data, text, name.len) == 0) {
            request->method = method;
            return;
        }
    }
    request->method = REQUEST_METHOD_UNKNOWN;
}

const char *request_method_name(const struct request *request)
{
    return request->method == REQUEST_METHOD_UNKNOWN ? "?" : http_method_str((enum http_method)request->method);
}

static struct fault add_host(struct request *request, struct bytes value)
{
    /* HTTP/2 may say it twice, as :authority and Host (RFC 9113, 8.3.1). */
    if (request->version == VERSION_HTTP2 && request->num_hosts == 1 && names(value, request->host)) return ok;
    if (++request->num_hosts > 1) return bad("more than one Host");
    if (value.len >= sizeof(request->host)) return bad("host too long");
    struct fault fault = target_check_authority((const char *)value.data, value.len);
    if (fault.status != 0) return fault;
    memcpy(request->host, value.data, value.len);
    request->host[value.len] = '\0';
    return ok;
}

static struct fault add_length(struct request *request, struct bytes value)
{
    /* A list of equal numbers may be accepted (RFC 9112, 6.3); nothing honest sends one. */
    if (++request->num_lengths > 1) return bad("more than one Content-Length");
    if (value.len == 0 || value.len > 19) return bad("bad Content-Length");
    uint64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return bad("bad Content-Length");
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    request->length = length;
    return ok;
}

static struct bytes trim(struct bytes value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t')) value.len--;
    return value;
}

static struct fault add_coding(struct request *request, struct bytes value)
{
    if (request->version != VERSION_HTTP11) return bad("Transfer-Encoding outside of HTTP/1.1");
    if (++request->num_codings > 1) return bad("more than one Transfer-Encoding");
    if (names(value, "chunked")) {
        request->chunked = true;
        return ok;
    }
    /* A list that ends in chunked says where the body ends, but nothing here undoes what comes before (RFC 9112, 6.1);
     * one that does not says nothing (6.3). */
    const uint8_t *comma = value.len > 0 ? memrchr(value.data, ',', value.len) : NULL;
    if (comma == NULL) return bad("Transfer-Encoding is not chunked");
    struct bytes last = {comma + 1, value.len - (size_t)(comma + 1 - value.data)};
    struct bytes others = {value.data, (size_t)(comma - value.data)};
    if (!names(trim(last), "chunked") || memmem(others.data, others.len, "chunked", 7) != NULL)
        return bad("Transfer-Encoding is not chunked");
    return (struct fault){HTTP_STATUS_NOT_IMPLEMENTED, "Transfer-Encoding not understood"};
}

static struct fault add_expect(struct request *request, struct bytes value)
{
    if (!names(value, "100-continue")) return (struct fault){HTTP_STATUS_EXPECTATION_FAILED, "unknown expectation"};
    /* RFC 9110, 10.1.1: one from an HTTP/1.0 client is ignored. */
    request->expect_continue = request->version != VERSION_HTTP10;
    return ok;
}

/* Of what it lists (RFC 9110, 10.1.4) nothing else is used here. */
static struct fault add_te(struct request *request, struct bytes value)
{
    while (value.len > 0) {
        const uint8_t *comma = memchr(value.data, ',', value.len);
        size_t len = comma != NULL ? (size_t)(comma - value.data) : value.len;
        if (names(trim((struct bytes){value.data, len}), "trailers")) request->takes_trailers = true;
        if (comma != NULL) len++;
        value.data += len;
        value.len -= len;
    }
    return ok;
}

static struct fault join(char **list, struct bytes value)
{
    size_t have = *list != NULL ? strlen(*list) : 0;
    char *joined = realloc(*list, have + value.len + sizeof(", "));
    if (joined == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    *list = joined;
    if (have > 0) {
        memcpy(joined + have, ", ", 2);
        have += 2;
    }
    memcpy(joined + have, value.data, value.len);
    joined[have + value.len] = '\0';
    return ok;
}

static struct fault add_match(struct request *request, struct bytes value)
{
    return join(&request->if_match, value);
}

static struct fault add_none_match(struct request *request, struct bytes value)
{
    return join(&request->if_none_match, value);
}

static struct fault add_if_range(struct request *request, struct bytes value)
{
    return join(&request->if_range, value); /* two are no entity tag, so no match */
}

static struct fault add_range(struct request *request, struct bytes value)
{
    request->num_ranges++; /* two of these fields are ignored, so the first is all there is to keep */
    return request->range == NULL ? join(&request->range, value) : ok;
}

/* Not a date, or two: the field is ignored (RFC 9110, 13.1.3). */
static struct fault set_date(char out[REQUEST_DATE], struct bytes value)
{
    bool usable = value.len < REQUEST_DATE && out[0] == '\0';
    size_t len = usable ? value.len : 0;
    memcpy(out, value.data, len);
    out[len] = '\0';
    return ok;
}

static struct fault add_modified_since(struct request *request, struct bytes value)
{
    return set_date(request->if_modified_since, value);
}

static struct fault add_unmodified_since(struct request *request, struct bytes value)
{
    return set_date(request->if_unmodified_since, value);
}

static struct fault add_content_range(struct request *request, struct bytes value)
{
    (void)value;
    request->has_content_range = true;
    return ok;
}

static struct fault add_referer(struct request *request, struct bytes value)
{
    return request->keeps_agent && request->referer == NULL ? join(&request->referer, value) : ok;
}

static struct fault add_user_agent(struct request *request, struct bytes value)
{
    return request->keeps_agent && request->user_agent == NULL ? join(&request->user_agent, value) : ok;
}

static struct fault add_accept(struct request *request, struct bytes value)
{
    if (negotiate_wants_html(value)) request->wants_html = true;
    return ok;
}

static struct fault add_accept_encoding(struct request *request, struct bytes value)
{
    negotiate_codings(&request->codings, value);
    return ok;
}

static const struct {
    const char *name;
    struct fault (*add)(struct request *request, struct bytes value);
} known_fields[] = {
    {"host", add_host},
    {"content-length", add_length},
    {"transfer-encoding", add_coding},
    {"expect", add_expect},
    {"te", add_te},
    {"accept", add_accept},
    {"accept-encoding", add_accept_encoding},
    {"content-range", add_content_range},
    {"range", add_range},
    {"referer", add_referer},
    {"user-agent", add_user_agent},
    {"if-range", add_if_range},
    {"if-match", add_match},
    {"if-none-match", add_none_match},
    {"if-modified-since", add_modified_since},
    {"if-unmodified-since", add_unmodified_since},
};

static struct fault keep_field(struct request *request, struct bytes name, struct bytes value)
{
    size_t len = request->kept_len + name.len + value.len + 2;
    if (len > request->kept_room) {
        size_t room = len < 1024 ? 2048 : 2 * len;
        char *kept = realloc(request->kept, room);
        if (kept == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
        request->kept = kept;
        request->kept_room = room;
    }
    char *at = request->kept + request->kept_len;
    memcpy(at, name.data, name.len);
    at[name.len] = '\0';
    memcpy(at + name.len + 1, value.data, value.len);
    at[name.len + 1 + value.len] = '\0';
    request->kept_len = len;
    return ok;
}

bool request_next_field(const struct request *request, struct request_kept *field)
{
    const char *at = field->name == NULL ? request->kept : field->value + strlen(field->value) + 1;
    if (at == NULL || at == request->kept + request->kept_len) return false;
    *field = (struct request_kept){at, at + strlen(at) + 1};
    return true;
}

struct fault request_add_field(struct request *request, struct bytes name, struct bytes value)
{
    static const uint8_t empty[1] = {0};
    if (++request->num_fields > LIMIT_HTTP_FIELDS)
        return (struct fault){HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields"};
    /* HTTP/1's header section has been measured in its own bytes before it came here. */
    if (request->version == VERSION_HTTP2) request->list_size += name.len + value.len + 32;
    if (request->list_size > LIMIT_HTTP_HEADER)
        return (struct fault){HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE, "header section too long"};
    value = trim(value);
    if (value.data == NULL) value.data = empty;
    if (request->keeps_fields) {
        struct fault fault = keep_field(request, name, value);
        if (fault.status != 0) return fault;
    }
    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        if (names(name, known_fields[i].name)) return known_fields[i].add(request, value);
    }
    return ok;
}

struct fault request_check(struct request *request)
{
    if (request->num_lengths > 0 && request->num_codings > 0) return bad("both Content-Length and Transfer-Encoding");
    if (request->num_hosts == 0 && request->version == VERSION_HTTP11) return bad("no Host");
    /* RFC 9112, 3.2.2: the absolute form's host is the request's. */
    if (request->target.form == TARGET_ABSOLUTE)
        memcpy(request->host, request->target.authority, sizeof(request->target.authority));
    if (request->method == REQUEST_METHOD_UNKNOWN) return (struct fault){HTTP_STATUS_NOT_IMPLEMENTED, "unknown method"};
    if ((request->target.form == TARGET_AUTHORITY) != (request->method == HTTP_CONNECT))
        return bad("the target's form does not fit the method");
    if (request->target.form == TARGET_ASTERISK && request->method != HTTP_OPTIONS)
        return bad("the target's form does not fit the method");
    return ok;
}

enum request_framing request_framing(const struct request *request)
{
    if (request->chunked) return FRAMING_CHUNKED;
    if (request->num_lengths > 0 && request->length > 0) return FRAMING_LENGTH;
    return FRAMING_NONE;
}
