#include "tlsclient/signer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/link.h"
#include "tlsclient/signer_internal.h"

struct tlsclient_signer {
    struct link link;
    struct codec_arena *arena;
    struct signing *first, *last; /* who waits: those that are sent come first */
    uint64_t last_id;
    enum err ended; /* ERR_OK: it has not */
    enum refusal refusal;
};

enum err tlsclient_signer_new(struct tlsclient_signer **out, int handle)
{
    *out = NULL;
    struct tlsclient_signer *signer = calloc(1, sizeof *signer);
    struct codec_arena *arena = codec_arena_new(LIMIT_SIGN_ARENA);
    if (signer == NULL || arena == NULL) {
        codec_arena_free(arena);
        free(signer);
        close(handle);
        return ERR_MEMORY;
    }
    signer->link = (struct link){.fd = handle, .role = LINK_SIGN_CLIENT, .end = LINK_LOWER};
    signer->arena = arena;
    *out = signer;
    return ERR_OK;
}

void tlsclient_signer_free(struct tlsclient_signer *signer)
{
    if (signer == NULL) return;
    CHECK(signer->first == NULL);
    close(signer->link.fd);
    codec_arena_free(signer->arena);
    free(signer);
}

int tlsclient_signer_fd(const struct tlsclient_signer *signer)
{
    return signer->link.fd;
}

bool tlsclient_signer_wants_write(const struct tlsclient_signer *signer)
{
    return signer->last != NULL && signer->last->id == 0;
}

enum refusal tlsclient_signer_refusal(const struct tlsclient_signer *signer)
{
    return signer->refusal;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static enum err send_request(struct tlsclient_signer *signer, struct signing *signing)
{
    const struct msg request = {
        .kind = MSG_SIGN_TLS13_CLIENT,
        .id = signer->last_id + 1,
        .sign_tls13_client = {.scheme = signing->scheme, .messages = signing->messages},
    };
    enum err err = link_send(&signer->link, &request, NULL, 0);
    if (err == ERR_OK) signing->id = ++signer->last_id;
    return err;
}

enum err signing_begin(struct signing *signing, struct tlsclient_signer *signer)
{
    CHECK(signing->signer == NULL);
    if (signing->messages.len > LIMIT_CLIENT_TRANSCRIPT) return ERR_TOO_LARGE;
    if (signer->ended != ERR_OK) return signer->ended;
    signing->id = 0;
    signing->len = 0;
    signing->err = ERR_OK;
    signing->refusal = REFUSAL_NONE;
    /* Behind one that waits for room: in their order. */
    enum err err = tlsclient_signer_wants_write(signer) ? ERR_AGAIN : send_request(signer, signing);
    /* keyd may have left a last word, which is the next to be read. */
    if (err != ERR_OK && err != ERR_AGAIN && err != ERR_CLOSED) return err;
    signing->signer = signer;
    signing->next = NULL;
    signing->prev = signer->last;
    *(signer->last != NULL ? &signer->last->next : &signer->first) = signing;
    signer->last = signing;
    return ERR_OK;
}

void signing_give_up(struct signing *signing)
{
    struct tlsclient_signer *signer = signing->signer;
    if (signer == NULL) return;
    *(signing->prev != NULL ? &signing->prev->next : &signer->first) = signing->next;
    *(signing->next != NULL ? &signing->next->prev : &signer->last) = signing->prev;
    signing->signer = NULL;
}

static void finish(struct signing *signing, enum err err)
{
    signing_give_up(signing);
    signing->err = err;
    if (signing->done != NULL) signing->done(signing->context);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static struct signing *find(const struct tlsclient_signer *signer, uint64_t id)
{
    struct signing *signing = signer->first;
    while (signing != NULL && (signing->id == 0 || signing->id != id)) signing = signing->next;
    return signing;
}

static enum err end(struct tlsclient_signer *signer, enum err err)
{
    signer->ended = err;
    while (signer->first != NULL) {
        struct signing *signing = signer->first;
        signing->refusal = signer->refusal;
        finish(signing, err);
    }
    return err;
}

/* The answer to one that was given up finds nobody. */
static void take_answer(struct tlsclient_signer *signer, const struct msg *answer)
{
    struct signing *signing = find(signer, answer->id);
    if (signing == NULL) return;
    if (answer->kind == MSG_SIGNATURE) {
        memcpy(signing->signature, answer->signature.data, answer->signature.len);
        signing->len = answer->signature.len;
    } else {
        signing->refusal = answer->refusal;
    }
    finish(signing, ERR_OK);
}

static enum err send_waiting(struct tlsclient_signer *signer)
{
    for (struct signing *signing = signer->first; signing != NULL; signing = signing->next) {
        if (signing->id != 0) continue;
        enum err err = send_request(signer, signing);
        if (err != ERR_OK) return err;
    }
    return ERR_AGAIN;
}

enum err tlsclient_signer_run(struct tlsclient_signer *signer)
{
    struct msg answer;
    struct packet_extra extra;
    if (signer->ended != ERR_OK) return signer->ended;
    for (;;) {
        enum err err = link_recv(&signer->link, &answer, &extra, signer->arena);
        if (err == ERR_AGAIN) break;
        if (err != ERR_OK) return end(signer, err);
        if (answer.kind == MSG_REFUSAL && answer.id == 0) {
            signer->refusal = answer.refusal;
            return end(signer, ERR_CLOSED);
        }
        take_answer(signer, &answer);
    }
    enum err err = send_waiting(signer);
    return err == ERR_AGAIN || err == ERR_OK ? ERR_AGAIN : end(signer, err);
}
