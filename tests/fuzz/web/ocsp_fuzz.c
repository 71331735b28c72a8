/* OCSP responses of any bytes: what is taken of one is DER all through, and nobody's signature is found under what nobody signed. */
#include <openssl/err.h>
#include <openssl/nid.h>
#include <stdint.h>

#include "base/check.h"
#include "tests/unit/web/pki.h"
#include "web/ocsp.h"
#include "web/staple.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct bytes part, struct bytes whole)
{
    return part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_response(const struct ocsp_response *response, struct bytes der)
{
    struct bytes rest = response->singles;
    struct ocsp_single single;
    CHECK((response->responder_name.len == 0) != (response->responder_key.len == 0));
    CHECK(is_within(response->body.data, der) && is_within(response->body.signature, der));
    CHECK(is_within(response->certificates, der) && is_within(rest, response->body.data));
    while (ocsp_next(&single, &rest)) {
        CHECK(is_within(single.hash, response->singles) && is_within(single.issuer_name, response->singles));
        CHECK(is_within(single.issuer_key, response->singles) && is_within(single.serial, response->singles));
        CHECK(single.this_update <= single.next_update && single.serial.len > 0);
    }
    CHECK(rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pki_cert ca, leaf;
    const struct bytes der = {data, size};
    struct ocsp_response response;
    struct staple_time time;
    struct diag diag;
    if (ca.x509 == NULL) {
        ca = pki_ca("CA");
        leaf = pki_make(&(struct pki_request){.name = "server", .issuer = &ca, .eku = NID_server_auth});
    }
    if (ocsp_parse(&response, der, &diag) == ERR_OK) check_response(&response, der);
    CHECK(staple_check(&time, der, leaf.x509, ca.x509, &diag) == ERR_INPUT);
    CHECK(ERR_peek_error() == 0);
    return 0;
}
