#include "web/proxy/answer.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "web/proxy/fields.h"

/* Whole ones within their limits. */
#define MAX_HEAD ((size_t)LIMIT_HTTP_STATUS_LINE + LIMIT_HTTP_HEADER + 16)
#define MAX_TAIL ((size_t)LIMIT_HTTP_HEADER + 16)

void answer_init(struct answer *answer, enum answer_to to)
{
    memset(answer, 0, sizeof(*answer));
    answer->to = to;
    scan_start(&answer->scan, SCAN_ANSWER);
}

void answer_cleanup(struct answer *answer)
{
    buffer_free(&answer->head);
    buffer_free(&answer->tail);
}

static enum err malformed(struct answer *answer, const char *fault)
{
    answer->fault = fault;
    return ERR_MALFORMED;
}

/* What the fields say of the message itself. */
struct framing {
    bool http10;
    bool chunked;
    bool closes;
    bool keeps;
};

/* Two lengths are refused even if they agree, as in a request. */
static enum err take_length(struct answer *answer, const char *value)
{
    size_t len = strspn(value, "0123456789");
    if (answer->has_length) return malformed(answer, "more than one Content-Length");
    if (len == 0 || len > 19 || value[len] != '\0') return malformed(answer, "bad Content-Length");
    answer->has_length = true;
    for (size_t i = 0; i < len; i++) answer->length = answer->length * 10 + (uint64_t)(value[i] - '0');
    return ERR_OK;
}

static enum err take_coding(struct answer *answer, struct framing *framing, const char *value)
{
    if (framing->http10) return malformed(answer, "Transfer-Encoding in HTTP/1.0");
    if (framing->chunked || strcasecmp(value, "chunked") != 0)
        return malformed(answer, "Transfer-Encoding is not chunked alone");
    framing->chunked = true;
    return ERR_OK;
}

static enum err take_field(struct answer *answer, struct framing *framing, const char *name, const char *value)
{
    if (strcasecmp(name, "content-length") == 0) return take_length(answer, value);
    if (strcasecmp(name, "transfer-encoding") == 0) return take_coding(answer, framing, value);
    if (strcasecmp(name, "connection") == 0 && !fields_nominate(&answer->nominated, value))
        return malformed(answer, "Connection too long");
    CHECK(answer->num_fields < LIMIT_HTTP_FIELDS); /* the scan has counted them */
    answer->fields[answer->num_fields++] = (struct header_table_field){name, value};
    return ERR_OK;
}

/* Splits one line, which ends in CRLF, in place. */
static struct header_table_field split_line(char *line, char *end)
{
    char *colon = memchr(line, ':', (size_t)(end - line));
    CHECK(colon != NULL); /* the scan has seen it */
    char *value = colon + 1;
    *colon = '\0';
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
    *end = '\0';
    return (struct header_table_field){line, value};
}

/* What is going to be behind the body is only worth saying to whom it is passed on. */
static bool passes(const struct answer *answer, const struct framing *framing, const char *name)
{
    if (strcasecmp(name, "trailer") != 0) return fields_answer_passes(&answer->nominated, name);
    return answer->takes_trailers && framing->chunked && !fields_is_nominated(&answer->nominated, name);
}

static void keep_what_passes(struct answer *answer, const struct framing *framing)
{
    size_t kept = 0;
    for (size_t i = 0; i < answer->num_fields; i++) {
        if (passes(answer, framing, answer->fields[i].name)) answer->fields[kept++] = answer->fields[i];
    }
    answer->num_fields = kept;
}

/* RFC 9112, 6.3. */
static enum err decide_body(struct answer *answer, const struct framing *framing)
{
    if (answer->has_length && framing->chunked) return malformed(answer, "both Content-Length and Transfer-Encoding");
    bool bodiless = answer->status < 200 || answer->status == 204;
    if (bodiless && framing->chunked) return malformed(answer, "Transfer-Encoding where no body can be");
    if (bodiless && answer->length > 0) return malformed(answer, "Content-Length where no body can be");
    answer->body = ANSWER_TO_END;
    if (framing->chunked) answer->body = ANSWER_CHUNKED;
    if (answer->has_length) answer->body = answer->length > 0 ? ANSWER_LENGTH : ANSWER_NO_BODY;
    if (bodiless || answer->status == 304 || answer->to == ANSWER_TO_HEAD) answer->body = ANSWER_NO_BODY;
    if (answer->status == 101) answer->body = ANSWER_TO_END;
    bool asked = framing->http10 ? framing->keeps : !framing->closes;
    answer->keeps_alive = asked && answer->body != ANSWER_TO_END;
    return ERR_OK;
}

static enum err parse_head(struct answer *answer)
{
    char *at = (char *)answer->head.data + answer->head.start;
    char *end = (char *)answer->head.data + answer->head.end;
    struct framing framing = {.http10 = at[7] == '0'};
    answer->status = (unsigned)(at[9] - '0') * 100 + (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
    if (answer->status < 100 || answer->status > 599) return malformed(answer, "no such status");
    for (at = memchr(at, '\n', (size_t)(end - at)); at != NULL && end - at > 3;) {
        char *line = at + 1;
        at = memchr(line, '\n', (size_t)(end - line));
        struct header_table_field field = split_line(line, at - 1);
        enum err err = take_field(answer, &framing, field.name, field.value);
        if (err != ERR_OK) return err;
    }
    framing.closes = fields_is_nominated(&answer->nominated, "close");
    framing.keeps = fields_is_nominated(&answer->nominated, "keep-alive") && !framing.closes;
    keep_what_passes(answer, &framing);
    return decide_body(answer, &framing);
}

/* Nobody has asked for any other. */
static void pass_interim(struct answer *answer)
{
    bool passes = answer->status == ANSWER_CONTINUE || answer->status == ANSWER_EARLY_HINTS;
    if (passes && answer->interim != NULL) answer->interim(answer->context, answer);
    buffer_drop(&answer->head, buffer_left(&answer->head).len);
    answer->num_fields = 0;
    answer->nominated = (struct fields_nominated){{0}, 0};
    answer->has_length = false;
    answer->length = 0;
    answer->num_interim++;
    scan_start(&answer->scan, SCAN_ANSWER);
}

static enum err end_head(struct answer *answer)
{
    enum err err = parse_head(answer);
    if (err != ERR_OK) return err;
    if (answer->status == 101 && answer->to != ANSWER_TO_UPGRADE)
        return malformed(answer, "101 to a request that is no upgrade");
    if (answer->status < 200 && answer->status != 101) {
        if (answer->num_interim == LIMIT_PROXY_INTERIM) return malformed(answer, "too many 1xx answers");
        pass_interim(answer);
        return ERR_OK;
    }
    answer->head_complete = true;
    answer->left = answer->body == ANSWER_LENGTH ? answer->length : 0;
    answer->complete = answer->body == ANSWER_NO_BODY;
    if (answer->body == ANSWER_CHUNKED) scan_start(&answer->scan, SCAN_CHUNK_SIZE);
    return ERR_OK;
}

static enum err receive_head(struct answer *answer, size_t *out_used, struct bytes data)
{
    struct fault fault = scan_bytes(&answer->scan, data, out_used);
    if (fault.status != 0) return malformed(answer, fault.reason);
    if (buffer_append(&answer->head, (struct bytes){data.data, *out_used}, MAX_HEAD) != ERR_OK) return ERR_MEMORY;
    return answer->scan.done ? end_head(answer) : ERR_OK;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return (c | 0x20) - 'a' + 10;
}

/* Follows the digits that the scan is going to look at, or has. */
static enum err take_chunk_digits(struct answer *answer, struct bytes line)
{
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.data[i];
        if (c == '\r' || c == '\n' || c == ';') return ERR_OK;
        if (answer->chunk_len >> 59 != 0) return malformed(answer, "chunk size too large");
        answer->chunk_len = answer->chunk_len << 4 | (unsigned)hex_value(c);
    }
    return ERR_OK;
}

static enum err parse_tail(struct answer *answer)
{
    char *at = (char *)answer->tail.data + answer->tail.start;
    char *end = (char *)answer->tail.data + answer->tail.end;
    while (end - at > 2) {
        char *line = at, *stop = memchr(at, '\n', (size_t)(end - at));
        CHECK(stop != NULL); /* the scan has seen it */
        struct header_table_field field = split_line(line, stop - 1);
        at = stop + 1;
        if (!fields_answer_trailer_passes(&answer->nominated, field.name)) continue;
        if (answer->num_trailers == LIMIT_HTTP_TRAILERS) return malformed(answer, "too many trailer fields");
        answer->trailers[answer->num_trailers++] = field;
    }
    return ERR_OK;
}

static enum err take_tail(struct answer *answer, struct bytes lines)
{
    if (buffer_append(&answer->tail, lines, MAX_TAIL) != ERR_OK) return ERR_MEMORY;
    return answer->scan.done ? parse_tail(answer) : ERR_OK;
}

static void next_part(struct answer *answer)
{
    switch (answer->scan.part) {
    case SCAN_CHUNK_SIZE:
        answer->left = answer->chunk_len;
        scan_start(&answer->scan, answer->chunk_len > 0 ? SCAN_CHUNK_END : SCAN_TRAILERS);
        answer->chunk_len = 0;
        break;
    case SCAN_CHUNK_END: scan_start(&answer->scan, SCAN_CHUNK_SIZE); break;
    case SCAN_TRAILERS: answer->complete = true; break;
    case SCAN_HEAD:
    case SCAN_ANSWER: break;
    }
}

static enum err receive_lines(struct answer *answer, size_t *out_used, struct bytes data)
{
    bool in_size = answer->scan.part == SCAN_CHUNK_SIZE && answer->scan.num_words == 0 && !answer->scan.cr;
    struct fault fault = scan_bytes(&answer->scan, data, out_used);
    if (fault.status != 0) return malformed(answer, fault.reason);
    if (in_size) {
        enum err err = take_chunk_digits(answer, (struct bytes){data.data, *out_used});
        if (err != ERR_OK) return err;
    }
    if (answer->scan.part == SCAN_TRAILERS && answer->takes_trailers) {
        enum err err = take_tail(answer, (struct bytes){data.data, *out_used});
        if (err != ERR_OK) return err;
    }
    if (answer->scan.done) next_part(answer);
    return ERR_OK;
}

static enum err receive_content(struct answer *answer, struct buffer *content, size_t *out_used, struct bytes data,
                                size_t max)
{
    bool to_end = answer->body == ANSWER_TO_END;
    size_t len = !to_end && answer->left < data.len ? (size_t)answer->left : data.len;
    *out_used = len;
    if (buffer_append(content, (struct bytes){data.data, len}, max) != ERR_OK) return ERR_MEMORY;
    if (to_end) return ERR_OK;
    answer->left -= len;
    answer->complete = answer->body == ANSWER_LENGTH && answer->left == 0;
    return ERR_OK;
}

enum err answer_receive(struct answer *answer, struct buffer *content, size_t *out_used, struct bytes data, size_t max)
{
    size_t at = 0;
    enum err err = ERR_OK;
    if (data.len > 0) answer->begun = true;
    while (at < data.len && !answer->complete && err == ERR_OK) {
        struct bytes rest = {data.data + at, data.len - at};
        size_t used = 0;
        if (!answer->head_complete)
            err = receive_head(answer, &used, rest);
        else if (answer->body == ANSWER_TO_END || answer->left > 0)
            err = receive_content(answer, content, &used, rest, max);
        else
            err = receive_lines(answer, &used, rest);
        at += used;
    }
    *out_used = at;
    return err;
}

enum err answer_end(struct answer *answer)
{
    if (answer->complete) return ERR_OK;
    if (!answer->head_complete || answer->body != ANSWER_TO_END) return ERR_CLOSED;
    answer->complete = true;
    return ERR_OK;
}
