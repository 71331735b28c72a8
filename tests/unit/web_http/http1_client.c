#include "http1_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool answer_read(struct answer *out, const struct text *text, size_t *at, bool head)
{
    *out = (struct answer){0};
    if (*at >= text->len) return false;
    const char *start = text->data + *at;
    const char *end = strstr(start, "\r\n\r\n");
    cr_assert_not_null(end, "an unfinished response head: %s", start);
    cr_assert_eq(sscanf(start, "HTTP/1.1 %3u ", &out->status), 1, "not a response: %.40s", start);
    out->head = strndup(start, (size_t)(end - start) + 2);
    const char *length = answer_field(out, "Content-Length");
    bool empty = head || out->status == 204 || out->status == 304 || out->status == 100;
    out->body_len = length == NULL || empty ? 0 : strtoull(length, NULL, 10);
    size_t body_at = (size_t)(end + 4 - text->data);
    cr_assert_leq(out->body_len, text->len - body_at, "a body that is shorter than it says: %s", start);
    out->body = calloc(1, out->body_len + 1);
    cr_assert_not_null(out->body);
    memcpy(out->body, text->data + body_at, out->body_len);
    *at = body_at + out->body_len;
    return true;
}

void answer_free(struct answer *answer)
{
    free(answer->head);
    free(answer->body);
}

const char *answer_field(const struct answer *answer, const char *name)
{
    static char value[1024];
    char line[128];
    snprintf(line, sizeof(line), "\r\n%s: ", name);
    const char *at = strcasestr(answer->head, line);
    if (at == NULL) return NULL;
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

struct answer answer_ask(struct rig *rig, const char *method, const char *target, const char *fields)
{
    struct text request = {0};
    struct text out = {0};
    struct answer answer;
    size_t at = 0;
    text_print(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, target, fields);
    rig_talk(rig, &out, request.data, request.len, 1000);
    cr_assert(answer_read(&answer, &out, &at, strcmp(method, "HEAD") == 0));
    cr_assert_eq(at, out.len);
    text_free(&request);
    text_free(&out);
    if (rig_wants_close(rig)) rig_start_http1(rig);
    return answer;
}

void statuses(char *out, size_t out_len, const struct text *text)
{
    struct answer answer;
    size_t at = 0;
    size_t used = 0;
    out[0] = '\0';
    while (answer_read(&answer, text, &at, false)) {
        used += (size_t)snprintf(out + used, out_len - used, "%s%u", used > 0 ? " " : "", answer.status);
        cr_assert_lt(used, out_len);
        answer_free(&answer);
    }
}

void without_date(struct text *text)
{
    static const struct {
        const char *before;
        size_t len;
    } changing[] = {{"\r\nDate: ", 29}, {"\r\nX-Request-Id: ", 24}, {"\nRequest ", 24}};
    for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
        size_t len = strlen(changing[i].before);
        for (char *at = text->data; (at = strstr(at, changing[i].before)) != NULL; at += len)
            memset(at + len, 'x', changing[i].len);
    }
}
