#include "web/http/response.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "web/proxy/relay.h"

void response_init(struct response *response)
{
    memset(response, 0, sizeof(*response));
}

void response_reset(struct response *response)
{
    open_file_release(response->file);
    free(response->owned);
    free(response->location);
    char request_id[sizeof(response->request_id)];
    memcpy(request_id, response->request_id, sizeof(request_id));
    response_init(response);
    memcpy(response->request_id, request_id, sizeof(request_id));
}

void response_add(struct response *response, const char *name, const char *value)
{
    CHECK(response->num_fields < RESPONSE_OWN_FIELDS);
    response->fields[response->num_fields++] = (struct header_table_field){name, value};
}

void response_set_text(struct response *response, unsigned status, const char *type, struct bytes body)
{
    response->status = status;
    response->piece = (struct response_piece){.text = body};
    response->length = body.len;
    response_add(response, "Content-Type", type);
}

void response_set_file(struct response *response, const char *type, struct open_file *file, uint64_t len)
{
    response->status = HTTP_STATUS_OK;
    response->file = open_file_hold(file);
    response->piece = (struct response_piece){.len = len};
    response->length = len;
    response_add(response, "Content-Type", type);
}

void response_set_error(struct response *response, unsigned status)
{
    response_reset(response);
    enum { ROOM = 128 };
    char *text = malloc(ROOM);
    int len = 0;
    if (text != NULL) {
        len = snprintf(text, ROOM, "%u %s\nRequest %s\n", status, http_status_str((enum http_status)status),
                       response->request_id);
        CHECK(len > 0 && len < ROOM);
    }
    response->owned = text;
    response_set_text(response, status, "text/plain; charset=utf-8",
                      (struct bytes){(const uint8_t *)text, (size_t)len});
    response_add(response, "Cache-Control", "no-store");
}

void response_set_relay(struct response *response, struct relay *relay)
{
    const struct answer *answer = relay_answer(relay);
    response->relay = relay;
    response->status = answer->status;
    response->relayed = answer->fields;
    response->num_relayed = answer->num_fields;
    response->framing = answer->has_length || answer->body == ANSWER_NO_BODY ? RESPONSE_KNOWN : RESPONSE_OPEN;
    response->length = response->framing == RESPONSE_KNOWN ? answer->length : UINT64_MAX;
}

static bool has_relayed(const struct response *response, const char *name)
{
    for (size_t i = 0; i < response->num_relayed; i++) {
        const char *relayed = response->relayed[i].name;
        /* The first letters are compared here: there are many names, and hardly one is like another. */
        if (((relayed[0] ^ name[0]) & ~0x20) == 0 && strcasecmp(relayed, name) == 0) return true;
    }
    return false;
}

/* What the application says itself is not said again: it knows its own pages. */
static void leave_to_application(struct response *response)
{
    _Static_assert(HEADER_TABLE_FIELDS <= 32, "a bit for each");
    for (size_t i = 0; response->num_relayed > 0 && i < response->common->num_fields; i++) {
        if (has_relayed(response, response->common->fields[i].name)) response->own |= 1u << i;
    }
    if (has_relayed(response, "Strict-Transport-Security")) response->hsts = false;
}

static bool status_has_body(unsigned status)
{
    return status != HTTP_STATUS_NO_CONTENT && status != HTTP_STATUS_NOT_MODIFIED;
}

static void write_decimal(char out[RESPONSE_LENGTH_TEXT], uint64_t number)
{
    char digits[RESPONSE_LENGTH_TEXT];
    size_t len = 0;
    do digits[len++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (size_t i = 0; i < len; i++) out[i] = digits[len - 1 - i];
    out[len] = '\0';
}

void response_finish(struct response *response, enum response_body body, const struct header_table *headers,
                     enum response_hsts hsts)
{
    bool says_length = response->relay == NULL || relay_answer(response->relay)->has_length;
    if (!status_has_body(response->status)) {
        response->length = 0;
    } else if (says_length) {
        write_decimal(response->length_text, response->length);
        response_add(response, "Content-Length", response->length_text);
    }
    if (body == RESPONSE_HEAD_ONLY) response->length = 0;
    if (!has_relayed(response, "Date")) {
        date_http(response->date, clock_wall_s());
        response_add(response, "Date", response->date);
    }
    response_add(response, "X-Request-Id", response->request_id);
    response->common = headers;
    response->hsts = hsts == RESPONSE_HSTS && headers->hsts != NULL;
    leave_to_application(response);
}

size_t response_num_fields(const struct response *response)
{
    size_t common = response->common != NULL ? response->common->num_fields : 0;
    common -= (size_t)__builtin_popcount(response->own);
    return response->num_fields + response->num_relayed + common + (response->hsts ? 1u : 0u);
}

struct header_table_field response_field(const struct response *response, size_t i)
{
    CHECK(i < response_num_fields(response));
    if (i < response->num_fields) return response->fields[i];
    i -= response->num_fields;
    if (i < response->num_relayed) return response->relayed[i];
    i -= response->num_relayed;
    for (size_t at = 0; at < response->common->num_fields; at++) {
        if ((response->own >> at & 1u) == 0 && i-- == 0) return response->common->fields[at];
    }
    return (struct header_table_field){"Strict-Transport-Security", response->common->hsts};
}

bool response_has_body(const struct response *response)
{
    return response->length > 0;
}

static enum err read_file(int fd, uint64_t at, uint8_t *out, size_t *out_len, size_t want)
{
    ssize_t got;
    do {
        got = pread(fd, out, want, (off_t)at);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return ERR_SYSTEM;
    *out_len = (size_t)got;
    return ERR_OK;
}

static enum err read_piece(const struct response *response, const struct response_piece *piece, uint8_t *out,
                           size_t *out_len, size_t cap)
{
    uint64_t at = response->piece_given;
    if (at >= piece->text.len) {
        uint64_t left = piece->len - (at - piece->text.len);
        return read_file(response->file->fd, piece->start + (at - piece->text.len), out, out_len,
                         left < cap ? (size_t)left : cap);
    }
    size_t left = piece->text.len - (size_t)at;
    *out_len = left < cap ? left : cap;
    memcpy(out, piece->text.data + at, *out_len);
    return ERR_OK;
}

/* An answer of unknown length has its length at its end. */
static enum err read_relay(struct response *response, uint8_t *out, size_t *out_len, size_t cap)
{
    enum err err = relay_read(response->relay, out, out_len, cap);
    if (err != ERR_OK) return err;
    response->given += *out_len;
    if (*out_len == 0) response->length = response->given;
    return ERR_OK;
}

enum err response_read(struct response *response, uint8_t *out, size_t *out_len, size_t cap)
{
    *out_len = 0;
    if (cap == 0 || response->given == response->length) return ERR_OK;
    if (response->relay != NULL) return read_relay(response, out, out_len, cap);
    const struct response_piece *pieces = response->pieces != NULL ? response->pieces : &response->piece;
    const struct response_piece *piece = &pieces[response->num_done];
    enum err err = read_piece(response, piece, out, out_len, cap);
    if (err != ERR_OK) return err;
    response->given += *out_len;
    response->piece_given += *out_len;
    if (response->piece_given == piece->text.len + piece->len) {
        response->piece_given = 0;
        response->num_done++;
    }
    return ERR_OK;
}

const struct header_table_field *response_trailers(const struct response *response, size_t *out_num)
{
    const struct answer *answer = response->relay != NULL ? relay_answer(response->relay) : NULL;
    *out_num = answer != NULL ? answer->num_trailers : 0;
    return answer != NULL ? answer->trailers : NULL;
}
