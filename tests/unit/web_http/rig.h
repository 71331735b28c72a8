/* Drives one HTTP session with bytes, as the connection layer would, without a socket. */
#ifndef KEYWARD_TESTS_UNIT_WEB_HTTP_RIG_H
#define KEYWARD_TESTS_UNIT_WEB_HTTP_RIG_H

#include <stdbool.h>

#include "base/bytes.h"
#include "web/http/site.h"
#include "web/session.h"

struct rig_config {
    bool root;    /* a directory, rig_root_dir, instead of the built-in page */
    bool uploads; /* a directory, rig_uploads_dir */
    uint64_t max_upload_bytes;
    uint64_t upload_quota;
    bool spa;
    enum access_format access;
    const char *const *headers; /* NAME:VALUE */
    size_t num_headers;
    bool immutable;
};

struct rig {
    struct http_site *site;
    struct session *session;
    struct session_peer peer;
    char root_dir[64];
    char uploads_dir[64];
    int wakes;
    int log_fd;    /* what the session wrote to the log */
    int stderr_fd; /* where the log went before */
    size_t out_step;
};

/* A growing text; always ends with a NUL that is not counted. */
struct text {
    char *data;
    size_t len;
    size_t room;
};

void text_add(struct text *text, const void *data, size_t len);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_fill(struct text *text, char c, size_t count);
void text_free(struct text *text);

/* The site and the directories; no session yet. */
void rig_init(struct rig *rig, const struct rig_config *config);
/* What workers share for a quota, as the broker makes it. */
int rig_quota_page(void);
void rig_start_http1(struct rig *rig);
void rig_start_http2(struct rig *rig);
void rig_end_session(struct rig *rig);
/* Frees everything, and removes the directories. */
void rig_cleanup(struct rig *rig);

/* rig_pump lets the session say what it has to say, and waits for its commits. */
void rig_pump(struct rig *rig, struct text *out);

/* rig_talk feeds the bytes in pieces of the step, whenever the session wants to read, and collects its answers. */
void rig_talk(struct rig *rig, struct text *out, const char *data, size_t len, size_t step);

bool rig_wants_close(const struct rig *rig);

/* rig_log returns what was logged so far; the caller frees it. */
char *rig_log(const struct rig *rig);

/* rig_num_files counts the entries of a directory. */
int rig_num_files(const char *dir);

/* rig_file reads a file of a directory; NULL if there is none. */
char *rig_file(const char *dir, const char *name);
void rig_write_file(const char *dir, const char *name, const char *content);

#endif
