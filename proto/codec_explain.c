/* Why handshakes came to nothing: asked and told on the control socket, and by the broker of web's workers. */
#include "proto/codec_internal.h"
#include "proto/field.h"

bool codec_check_explain_query(const struct msg *msg)
{
    const struct explain_query *query = &msg->explain_query;
    return field_text(query->host, 0, LIMIT_LABEL) && query->max >= 1 && query->max <= LIMIT_EXPLANATION;
}

enum err codec_decode_explain_query(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ExplainQuery *from = (const Keyward__Wire__ExplainQuery *)wire;
    out->explain_query = (struct explain_query){.host = from->host, .max = from->max};
    return ERR_OK;
}

enum err codec_encode_explain_query(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ExplainQuery to;
    keyward__wire__explain_query__init(&to);
    to.host = wire_text(msg->explain_query.host);
    to.max = msg->explain_query.max;
    return codec_pack(packer, &to.base);
}

static bool check_verdict(const struct verdict *verdict)
{
    return field_text(verdict->address, 1, LIMIT_LABEL) && verdict->kind < VERDICT_KINDS && verdict->count >= 1 &&
           field_text(verdict->reason, 1, LIMIT_VERDICT_REASON) &&
           field_text(verdict->remedy, 0, LIMIT_VERDICT_REMEDY) && field_text(verdict->subject, 0, LIMIT_SUBJECT) &&
           field_text(verdict->issuer, 0, LIMIT_SUBJECT) && field_text(verdict->serial, 0, LIMIT_LABEL) &&
           field_text(verdict->fingerprint, 0, LIMIT_LABEL);
}

bool codec_check_explanation(const struct msg *msg)
{
    const struct explanation *explanation = &msg->explanation;
    if (explanation->num_verdicts > LIMIT_EXPLANATION || explanation->silent > LIMIT_WORKER_NUMBERS) return false;
    for (size_t i = 0; i < explanation->num_verdicts; i++) {
        if (!check_verdict(&explanation->verdicts[i])) return false;
    }
    return true;
}

enum err codec_decode_explanation(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__Explanation *from = (const Keyward__Wire__Explanation *)wire;
    struct explanation *to = &out->explanation;
    if (from->n_verdicts > LIMIT_EXPLANATION) return ERR_MALFORMED;
    to->silent = from->silent;
    to->num_verdicts = from->n_verdicts;
    to->verdicts = codec_arena_take(arena, from->n_verdicts * sizeof *to->verdicts);
    if (to->verdicts == NULL) return ERR_TOO_LARGE;
    for (size_t i = 0; i < from->n_verdicts; i++) {
        const Keyward__Wire__Verdict *verdict = from->verdicts[i];
        to->verdicts[i] = (struct verdict){
            .address = verdict->address,
            .kind = verdict->kind,
            .count = verdict->count,
            .first_ms = verdict->first_ms,
            .last_ms = verdict->last_ms,
            .reason = verdict->reason,
            .remedy = verdict->remedy,
            .subject = verdict->subject,
            .issuer = verdict->issuer,
            .serial = verdict->serial,
            .fingerprint = verdict->fingerprint,
            .not_before = verdict->not_before,
            .not_after = verdict->not_after,
        };
    }
    return ERR_OK;
}

static void wire_verdict(Keyward__Wire__Verdict *to, const struct verdict *from)
{
    keyward__wire__verdict__init(to);
    to->address = wire_text(from->address);
    to->kind = from->kind;
    to->count = from->count;
    to->first_ms = from->first_ms;
    to->last_ms = from->last_ms;
    to->reason = wire_text(from->reason);
    to->remedy = wire_text(from->remedy);
    to->subject = wire_text(from->subject);
    to->issuer = wire_text(from->issuer);
    to->serial = wire_text(from->serial);
    to->fingerprint = wire_text(from->fingerprint);
    to->not_before = from->not_before;
    to->not_after = from->not_after;
}

enum err codec_encode_explanation(const struct packer *packer, const struct msg *msg)
{
    const struct explanation *from = &msg->explanation;
    Keyward__Wire__Verdict verdicts[LIMIT_EXPLANATION], *pointers[LIMIT_EXPLANATION];
    for (size_t i = 0; i < from->num_verdicts; i++) {
        wire_verdict(&verdicts[i], &from->verdicts[i]);
        pointers[i] = &verdicts[i];
    }
    Keyward__Wire__Explanation to;
    keyward__wire__explanation__init(&to);
    to.n_verdicts = from->num_verdicts;
    to.verdicts = pointers;
    to.silent = from->silent;
    return codec_pack(packer, &to.base);
}
