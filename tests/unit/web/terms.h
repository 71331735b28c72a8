/* What a worker makes of WEB_IDENTITY for its clients. */
#ifndef KEYWARD_TESTS_UNIT_WEB_TERMS_H
#define KEYWARD_TESTS_UNIT_WEB_TERMS_H

#include "web/tls.h"

static inline struct clients_terms terms_of(const struct web_identity *identity, int client_ca_fd)
{
    return (struct clients_terms){
        .cas = identity->client_cas,
        .num_cas = identity->num_client_cas,
        .client_ca_fd = client_ca_fd,
        .crl_fd = -1,
        .own_client = identity->own_client,
    };
}

static inline enum err make_context(SSL_CTX **out, const struct web_identity *identity, const struct tls_terms *terms,
                                    int client_ca_fd, struct diag *diag)
{
    const struct clients_terms clients = terms_of(identity, client_ca_fd);
    return tls_context_new(out, identity, terms, NULL, &clients, diag);
}

#endif
