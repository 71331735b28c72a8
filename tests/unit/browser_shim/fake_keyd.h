/* keyd's side of a browser's handle, with a real key, for tests of the PKCS#11 module. The test is keyd; a child of it
 * is the browser, which has the handle where a browser has it. */
#ifndef KEYWARD_TESTS_UNIT_BROWSER_SHIM_FAKE_KEYD_H
#define KEYWARD_TESTS_UNIT_BROWSER_SHIM_FAKE_KEYD_H

#include <openssl/base.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "proto/message.h"

/* How it answers requests for a signature. But for the last two, it gives a description to whoever asks. */
enum fake_manner {
    FAKE_SIGNS,
    FAKE_REFUSES,
    FAKE_IS_SILENT,       /* never answers */
    FAKE_HANGS_UP,        /* closes the handle instead of answering */
    FAKE_ANSWERS_LATE,    /* the first answer comes with the id of nothing that was asked, the right one after it */
    FAKE_TALKS_NONSENSE,  /* a packet that is no message */
    FAKE_SIGNS_NONSENSE,  /* a signature that is not DER */
    FAKE_SAYS_WRONG_KIND, /* a HANDLE_PINNED instead of the signature */
    FAKE_IS_NO_HANDLE,    /* there is a file in the handle's place */
    FAKE_IS_DEAD,         /* the other end was closed before the browser began */
    FAKE_IS_REPLACED,     /* sends a new handle on fake_supply and closes this one instead of answering */
    FAKE_IS_NOBODYS,      /* wants to be pinned first, once */
    FAKE_IS_ANOTHERS,     /* is pinned to another process */
};

/* Where FAKE_IS_REPLACED sends to: the other end of what the browser has as its supply. */
extern int fake_supply;

/* Why, for FAKE_REFUSES. */
extern enum refusal fake_refusal;

enum fake_key { FAKE_P256, FAKE_P384, FAKE_RSA_2048, FAKE_RSA_3072 };

struct fake_identity {
    enum fake_key kind;
    EVP_PKEY *key;
    uint8_t *leaf;
    uint8_t *issuer;
    uint8_t *server_ca; /* the issuer, unless fake_identity_make_brought made it */
    size_t leaf_len;
    size_t issuer_len;
    size_t server_ca_len;
    struct bytes subject; /* the leaf's, as the next two: i2d's output, never freed */
    struct bytes issuer_name;
    struct bytes serial;
};

/* fake_identity_make makes a CA and a client certificate under it. fake_identity_make_brought does it for another kind of
 * key, and another CA for the server. */
void fake_identity_make(struct fake_identity *out);
void fake_identity_make_brought(struct fake_identity *out, enum fake_key kind);

/* fake_browser runs body in a child process, answering on its handle until it ends, and returns how it ended, as wait(2)
 * gives it: 0 is good. requests, if not NULL, counts the signatures that were asked for. */
int fake_browser(const struct fake_identity *identity, enum fake_manner manner,
                 void (*body)(const struct fake_identity *), unsigned *requests);

/* fake_handle returns a handle, the caller's, that a process of its own answers on until it is closed. */
int fake_handle(const struct fake_identity *identity, enum fake_manner manner);

/* fake_renew sends SHIM_RENEW with a handle to this identity on fake_supply. */
void fake_renew(const struct fake_identity *identity, enum fake_manner manner);

/* EXPECT is for the body: it says what does not hold and ends the child. */
#define EXPECT(condition)                                                     \
    do {                                                                      \
        if (!(condition)) fake_expect_failed(__FILE__, __LINE__, #condition); \
    } while (0)
_Noreturn void fake_expect_failed(const char *file, int line, const char *condition);

#endif
