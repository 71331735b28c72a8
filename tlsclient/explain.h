/* Why TLS with a server failed, in words for a person: what, with whom, why, what to do. */
#ifndef KEYWARD_TLSCLIENT_EXPLAIN_H
#define KEYWARD_TLSCLIENT_EXPLAIN_H

#include "tlsclient/tlsclient.h"

/* What differs between those who speak. */
struct tlsclient_words {
    const char *ca_option;                       /* that names the CA's file: "--cacert" */
    const char *(*remedy)(enum refusal refusal); /* what to do when keyd refuses. Never returns NULL */
};

/* tlsclient_explain says in diag why the call failed that the story was taken after. Returns the error to go on with. */
MUST_CHECK enum err tlsclient_explain(const struct tlsclient_story *story, const struct tlsclient_words *words,
                                      struct diag *diag);

#endif
