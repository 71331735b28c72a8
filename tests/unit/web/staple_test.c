/* OCSP responses: which are taken for a certificate, what is said about the others, and when they are stapled. */
#include "web/staple.h"

#include <criterion/criterion.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/web/ocsp_maker.h"
#include "tests/unit/web/rig.h"
#include "tests/unit/web/terms.h"
#include "web/ocsp.h"
#include "web/tls.h"

static struct pki_cert ca, other_ca, leaf, other_leaf;
static struct diag diag;
static struct staple_time times;
static uint64_t now;

static void setup(void)
{
    ca = pki_ca("CA");
    other_ca = pki_ca("CA"); /* the same name, another key */
    leaf = pki_make(&(struct pki_request){.name = "server", .issuer = &ca, .eku = NID_server_auth});
    other_leaf = pki_make(&(struct pki_request){.name = "server", .issuer = &ca, .eku = NID_server_auth});
    now = (uint64_t)time(NULL);
}

static void teardown(void)
{
    pki_free(&other_leaf);
    pki_free(&leaf);
    pki_free(&other_ca);
    pki_free(&ca);
}

TestSuite(staple, .init = setup, .fini = teardown);

static enum err check(struct bytes response)
{
    memset(&diag, 0, sizeof diag);
    return staple_check(&times, response, leaf.x509, ca.x509, &diag);
}

static void expect_taken(const struct ocsp_request *request)
{
    cr_expect_eq(check(ocsp_make(request)), ERR_OK, "%s", diag.text);
}

static void expect_refused(const struct ocsp_request *request, const char *why)
{
    cr_expect_eq(check(ocsp_make(request)), ERR_INPUT, "want: %s", why);
    cr_expect(strstr(diag.text, why) != NULL, "%s; want: %s", diag.text, why);
}

Test(staple, by_the_ca)
{
    expect_taken(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca});
    cr_assert(times.from <= now - 59 && times.from > now - 120);
    cr_assert(times.until > now + 3500 && times.until < now + 3700);
    expect_taken(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .by_key = true});
    expect_taken(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .sha256 = true});
}

Test(staple, by_a_responder_of_the_ca)
{
    struct pki_cert responder =
        pki_make(&(struct pki_request){.name = "responder", .issuer = &ca, .eku = NID_OCSP_sign, .not_after_s = 600});
    expect_taken(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .signer = &responder});
    cr_assert(times.until <= now + 610, "as long as its certificate lasts");
    expect_taken(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .signer = &responder, .by_key = true});
    pki_free(&responder);
}

static void expect_responder_refused(const struct pki_request *request, const char *why)
{
    struct pki_cert responder = pki_make(request);
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .signer = &responder}, why);
    pki_free(&responder);
}

Test(staple, by_anybody_else_is_refused)
{
    expect_responder_refused(&(struct pki_request){.name = "r", .issuer = &ca, .eku = NID_server_auth},
                             "is not for this");
    expect_responder_refused(&(struct pki_request){.name = "r", .issuer = &ca, .eku = NID_anyExtendedKeyUsage},
                             "is not for this");
    expect_responder_refused(&(struct pki_request){.name = "r", .issuer = &ca, .eku = -1}, "is not for this");
    expect_responder_refused(&(struct pki_request){.name = "r", .issuer = &other_ca, .eku = NID_OCSP_sign},
                             "is not by the CA that signed this certificate");
    expect_responder_refused(&(struct pki_request){.name = "r", .issuer = &leaf, .eku = NID_OCSP_sign},
                             "is not by the CA that signed this certificate");
    expect_responder_refused(&(struct pki_request){.name = "r", .issuer = &ca, .eku = NID_OCSP_sign, .sha1 = true},
                             "SHA-1");
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .signer = &leaf}, "is not for this");
}

Test(staple, under_the_name_of_the_ca_by_another_is_refused)
{
    struct ocsp_request request = {.leaf = &leaf, .issuer = &ca, .signer = &other_ca};
    expect_refused(&request, "is not by the CA that signed this certificate");
    request.by_key = true;
    expect_refused(&request, "is not by the CA that signed this certificate");
}

Test(staple, about_another_certificate_is_refused)
{
    expect_refused(&(struct ocsp_request){.leaf = &other_leaf, .issuer = &ca}, "it is not about this certificate");
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &other_ca}, "it is not about this certificate");
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .twice = true}, "twice");
}

Test(staple, that_does_not_call_it_good_is_refused)
{
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .status = MAKE_REVOKED}, "has been revoked");
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .status = MAKE_UNKNOWN}, "does not know");
}

Test(staple, without_an_end_or_with_what_is_not_known_is_refused)
{
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .no_next_update = true}, "no nextUpdate");
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .next_update_s = -120},
                   "before its thisUpdate");
    expect_refused(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca, .critical = true},
                   "critical extension that is not known here (2.5.29.17)");
}

Test(staple, cut_anywhere_is_refused)
{
    struct ocsp_response response;
    const struct bytes der = ocsp_make(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca});
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *copy = malloc(len + 1); /* of that size, so that a sanitizer sees what is read behind it */
        memcpy(copy, der.data, len);
        cr_expect_eq(ocsp_parse(&response, (struct bytes){copy, len}, &diag), ERR_INPUT, "%zu", len);
        free(copy);
    }
}

Test(staple, changed_anywhere_is_refused)
{
    uint8_t copy[4096];
    const struct bytes der = ocsp_make(&(struct ocsp_request){.leaf = &leaf, .issuer = &ca});
    memcpy(copy, der.data, der.len);
    for (size_t i = 0; i < der.len; i++) {
        copy[i] ^= 1;
        cr_expect_neq(check((struct bytes){copy, der.len}), ERR_OK, "at %zu", i);
        copy[i] ^= 1;
    }
}

/* ---- In a handshake --------------------------------------------------------------------------------------------- */

static struct rig rig;

static void open_rig(void)
{
    rig_open(&rig, true);
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(stapled, .init = open_rig, .fini = close_rig);

static void present(long from_s, long until_s)
{
    rig.ocsp = ocsp_make(&(struct ocsp_request){
        .leaf = &rig.server, .issuer = &rig.server_ca, .this_update_s = from_s, .next_update_s = until_s});
    rig_identity(&rig, true);
}

/* Whether a client that asks, or one that does not, is shown the response. */
static bool is_stapled(uint16_t version, bool asks)
{
    const uint8_t *shown;
    size_t len;
    SSL_CTX_set_max_proto_version(rig.client_context, version);
    if (asks) SSL_CTX_enable_ocsp_stapling(rig.client_context);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    SSL_get0_ocsp_response(rig.ssl, &shown, &len);
    if (len > 0) cr_assert(bytes_equal((struct bytes){shown, len}, rig.ocsp));
    return len > 0;
}

Test(stapled, to_who_asks)
{
    present(-60, 3600);
    cr_assert_not(is_stapled(TLS1_3_VERSION, false));
    cr_assert_not(is_stapled(TLS1_2_VERSION, false));
    cr_assert(is_stapled(TLS1_3_VERSION, true));
    cr_assert(is_stapled(TLS1_2_VERSION, true));
}

Test(stapled, not_out_of_its_time)
{
    char text[512];
    size_t at = 0;
    present(-7200, -3600);
    cr_assert_not(is_stapled(TLS1_3_VERSION, true));
    cr_assert(tls_servers_remark(text, sizeof text, &at, rig.shared.tls, (uint64_t)time(NULL)));
    cr_assert(strstr(text, "the OCSP response of the default certificate is good from ") != NULL, "%s", text);
    cr_assert_not(tls_servers_remark(text, sizeof text, &at, rig.shared.tls, (uint64_t)time(NULL)));
    present(3600, 7200);
    cr_assert_not(is_stapled(TLS1_3_VERSION, true));
}

Test(stapled, not_any_more_when_it_has_run_out)
{
    present(-60, 2);
    const uint64_t until = tls_servers_next_update(rig.shared.tls);
    const bool was_stapled = is_stapled(TLS1_3_VERSION, true);
    if ((uint64_t)time(NULL) < until) cr_assert(was_stapled);
    while ((uint64_t)time(NULL) < until) usleep(20000);
    cr_assert_not(is_stapled(TLS1_3_VERSION, true));
}

Test(stapled, not_to_an_issuer_that_is_not_known)
{
    const struct tls_terms terms = {0};
    const struct bytes response = ocsp_make(&(struct ocsp_request){.leaf = &rig.server, .issuer = &rig.server_ca});
    struct web_identity identity = {.chain = {rig.server.der},
                                    .num_chain = 1,
                                    .client_cas = {rig.client_ca.der},
                                    .num_client_cas = 1,
                                    .ocsp = response};
    SSL_CTX *context;
    struct diag why = {{0}};
    cr_assert_eq(make_context(&context, &identity, &terms, -1, &why), ERR_INPUT);
    cr_assert(strstr(why.text, "OCSP response: who signed the certificate is not known") != NULL, "%s", why.text);
}
