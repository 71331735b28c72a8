#include "browser-shim/client_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/certificate.h"

void client_json_start(void)
{
    json_object_seed(1); /* not from a file, which the sandbox has not: the keys of all objects are ours */
}

json_t *client_json_certificate(const X509 *certificate)
{
    struct certificate_text text;
    if (certificate == NULL || certificate_describe(&text, certificate) != ERR_OK) return NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "subject", text.subject, "issuer", text.issuer, "serial",
                     text.serial, "fingerprint", text.fingerprint, "not_before", (json_int_t)text.not_before,
                     "not_after", (json_int_t)text.not_after);
}

enum err client_json_write(struct client_output *output, json_t *value, struct diag *diag)
{
    char *text = value != NULL ? json_dumps(value, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    if (text == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    enum err err = client_output_write(output, (const uint8_t *)text, strlen(text), diag);
    if (err == ERR_OK) err = client_output_write(output, (const uint8_t *)"\n", 1, diag);
    free(text);
    return err;
}

/* The server's words may be no UTF-8, which JSON has to be. */
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("?");
}

json_t *client_json_answer(const struct client_json_answer *answer)
{
    const struct client_response *response = answer->response;
    const struct client_tls_outcome *outcome = answer->outcome;
    return json_pack("{s:b, s:o, s:i, s:o, s:I, s:I, s:s?, s:f, s:I, s:s?, s:s?, s:o?}", "ok", answer->error == NULL,
                     "error", answer->error != NULL ? text_of(answer->error) : json_null(), "status",
                     (int)response->status, "reason", text_of(response->reason), "received",
                     (json_int_t)response->body_len, "sent", (json_int_t)answer->sent, "output", answer->file, "ms",
                     (double)answer->us / 1000, "handle", (json_int_t)answer->handle, "version", outcome->version,
                     "suite", outcome->suite, "server", client_json_certificate(outcome->server));
}
