#include "web/http/http1_scan.h"

#include <http_parser.h>
#include <string.h>

#include "base/limits.h"

static const struct fault ok;

static struct fault bad(const char *reason)
{
    return (struct fault){HTTP_STATUS_BAD_REQUEST, reason};
}

static bool is_token(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static void start_line(struct scan *scan, enum scan_line line)
{
    scan->line = line;
    scan->line_len = 0;
    scan->word_len = 0;
    scan->num_words = 0;
}

void scan_start(struct scan *scan, enum scan_part part)
{
    static const enum scan_line first[] = {
        [SCAN_HEAD] = SCAN_LINE_REQUEST,    [SCAN_ANSWER] = SCAN_LINE_STATUS,  [SCAN_CHUNK_SIZE] = SCAN_LINE_SIZE,
        [SCAN_CHUNK_END] = SCAN_LINE_EMPTY, [SCAN_TRAILERS] = SCAN_LINE_FIELD,
    };
    memset(scan, 0, sizeof(*scan));
    scan->part = part;
    start_line(scan, first[part]);
}

/* HTTP-version (RFC 9112, 2.3), in which # stands for a digit. */
static const char version_form[] = "HTTP/#.#";

static bool version_byte(size_t at, uint8_t c)
{
    if (at >= sizeof(version_form) - 1) return false;
    return version_form[at] == '#' ? c >= '0' && c <= '9' : c == (uint8_t)version_form[at];
}

static struct fault request_byte(struct scan *scan, uint8_t c)
{
    scan->begun = true;
    if (c == ' ') {
        if (scan->word_len == 0 || scan->num_words == 2) return bad("superfluous space in the request line");
        scan->num_words++;
        scan->word_len = 0;
        return ok;
    }
    if (c < 0x20 || c >= 0x7f) return bad("bad character in the request line");
    scan->word_len++;
    switch (scan->num_words) {
    case 0:
        if (!is_token(c)) return bad("bad character in the method");
        if (scan->word_len > LIMIT_HTTP_METHOD) return (struct fault){HTTP_STATUS_NOT_IMPLEMENTED, "unknown method"};
        return ok;
    case 1:
        if (scan->word_len > LIMIT_HTTP_TARGET) return (struct fault){HTTP_STATUS_URI_TOO_LONG, "target too long"};
        return ok;
    default: return version_byte(scan->word_len - 1, c) ? ok : bad("bad version in the request line");
    }
}

/* HTTP-version SP status-code SP [reason-phrase] (RFC 9112, 4), in which # stands for a digit. */
static const char status_form[] = "HTTP/1.# ### ";

static struct fault status_byte(struct scan *scan, uint8_t c)
{
    size_t at = scan->line_len - 1;
    if (scan->line_len > LIMIT_HTTP_STATUS_LINE) return bad("status line too long");
    if (at >= sizeof(status_form) - 1)
        return c == '\t' || (c >= 0x20 && c != 0x7f) ? ok : bad("control character in the status line");
    bool fits = status_form[at] == '#' ? c >= '0' && c <= '9' : c == (uint8_t)status_form[at];
    return fits ? ok : bad("no status line");
}

static struct fault field_byte(struct scan *scan, uint8_t c)
{
    const struct fault too_large = {HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE, "header section too long"};
    if (scan->line_len == 1) {
        if (c == ' ' || c == '\t') return bad("folded header field");
        if (++scan->num_fields > LIMIT_HTTP_FIELDS)
            return (struct fault){HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields"};
    }
    /* 2 for the CR and LF that this line still needs. */
    if (scan->section_len + 2 > LIMIT_HTTP_HEADER) return too_large;
    if (scan->num_words == 0) {
        scan->word_len++;
        if (c != ':') return is_token(c) ? ok : bad("bad character in a field name");
        if (scan->word_len == 1) return bad("header field without a name");
        scan->num_words = 1;
        return ok;
    }
    return c == '\t' || (c >= 0x20 && c != 0x7f) ? ok : bad("control character in a header field");
}

static struct fault size_byte(struct scan *scan, uint8_t c)
{
    if (scan->line_len > LIMIT_HTTP_CHUNK_LINE) return bad("chunk size line too long");
    if (scan->num_words == 0 && is_hex(c)) {
        scan->word_len++;
        return ok;
    }
    if (scan->word_len == 0 || (scan->num_words == 0 && c != ';')) return bad("bad chunk size");
    scan->num_words = 1;
    return c >= 0x20 && c < 0x7f ? ok : bad("bad character in a chunk extension");
}

static struct fault line_byte(struct scan *scan, uint8_t c)
{
    scan->line_len++;
    switch (scan->line) {
    case SCAN_LINE_REQUEST: return request_byte(scan, c);
    case SCAN_LINE_STATUS: return status_byte(scan, c);
    case SCAN_LINE_FIELD: scan->section_len++; return field_byte(scan, c);
    case SCAN_LINE_SIZE: return size_byte(scan, c);
    case SCAN_LINE_EMPTY: break;
    }
    return bad("chunk longer than its size");
}

static struct fault end_request_line(struct scan *scan)
{
    if (scan->line_len == 0)
        return ++scan->num_empty > LIMIT_HTTP_EMPTY_LINES ? bad("empty lines instead of a request") : ok;
    if (scan->num_words != 2 || scan->word_len != sizeof(version_form) - 1) return bad("incomplete request line");
    start_line(scan, SCAN_LINE_FIELD);
    return ok;
}

static struct fault end_status_line(struct scan *scan)
{
    if (scan->line_len < sizeof(status_form) - 1) return bad("no status line");
    start_line(scan, SCAN_LINE_FIELD);
    return ok;
}

static struct fault end_field_line(struct scan *scan)
{
    if (scan->line_len == 0) {
        scan->done = true;
        return ok;
    }
    if (scan->num_words == 0) return bad("header field without a colon");
    scan->section_len += 2;
    start_line(scan, SCAN_LINE_FIELD);
    return ok;
}

static struct fault end_line(struct scan *scan)
{
    switch (scan->line) {
    case SCAN_LINE_REQUEST: return end_request_line(scan);
    case SCAN_LINE_STATUS: return end_status_line(scan);
    case SCAN_LINE_FIELD: return end_field_line(scan);
    case SCAN_LINE_SIZE:
    case SCAN_LINE_EMPTY: break;
    }
    scan->done = true;
    return ok;
}

static struct fault one_byte(struct scan *scan, uint8_t c)
{
    if (scan->cr) {
        scan->cr = false;
        return c == '\n' ? end_line(scan) : bad("CR without LF");
    }
    if (c == '\n') return bad("LF without CR");
    if (c == '\r') {
        scan->cr = true;
        return scan->line == SCAN_LINE_SIZE && scan->word_len == 0 ? bad("no chunk size") : ok;
    }
    return line_byte(scan, c);
}

struct fault scan_bytes(struct scan *scan, struct bytes data, size_t *out_len)
{
    size_t len = 0;
    struct fault fault = ok;
    while (len < data.len && !scan->done && fault.status == 0) fault = one_byte(scan, data.data[len++]);
    *out_len = len;
    return fault;
}
