/* What the token shows: the client certificate, its private key (that it is there, not what it is), the certificate of who
 * signed it, the certificate of the CA that the server's leads to, and the statement that this CA may vouch for servers in
 * this browser. Where two of the certificates are the same there is one object. Read-only, made once. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_OBJECTS_H
#define KEYWARD_BROWSER_SHIM_MODULE_OBJECTS_H

#include <stdbool.h>

#include "browser-shim/module/cryptoki.h"
#include "browser-shim/module/der.h"
#include "browser-shim/module/key.h"
#include "browser-shim/module/sha1.h"
#include "browser-shim/module/token.h"

#define OBJECTS_MAX 5
#define OBJECTS_MAX_ATTRIBUTES 24

/* An attribute's value belongs to the objects or is a constant. */
struct object_attribute {
    ck_attribute_type_t type;
    const void *value;
    unsigned long value_len;
};

struct object {
    struct object_attribute attributes[OBJECTS_MAX_ATTRIBUTES];
    size_t num_attributes;
};

/* Zero state: no objects. Object i has the handle first + i. */
struct objects {
    ck_object_handle_t first;
    struct object items[OBJECTS_MAX];
    size_t num_items;
    ck_object_handle_t private_key; /* 0: none */
    struct key key;
    struct der_certificate leaf;
    struct der_certificate issuer;
    struct der_certificate server_ca;
    uint8_t leaf_hash[SHA1_DIGEST];
    uint8_t issuer_hash[SHA1_DIGEST];
    uint8_t server_ca_hash[SHA1_DIGEST];
};

/* objects_init makes the objects of a handle; they point into out and into the description, which stay where they
 * are. first is at least 1. ERR_MALFORMED: a certificate is none, or the leaf's key is of no kind that keyd holds; then
 * there are no objects. */
MUST_CHECK enum err objects_init(struct objects *out, const struct token_description *description,
                                 ck_object_handle_t first);

/* objects_match says whether the object has every attribute of the template with the same value. */
bool objects_match(const struct objects *objects, ck_object_handle_t handle, const struct ck_attribute *attributes,
                   unsigned long num_attributes);

/* objects_get fills the template (PKCS #11 2.40, C_GetAttributeValue): every attribute is handled, and the result says
 * what happened to the last one that could not be had. */
ck_rv_t objects_get(const struct objects *objects, ck_object_handle_t handle, struct ck_attribute *attributes,
                    unsigned long num_attributes);

bool objects_exist(const struct objects *objects, ck_object_handle_t handle);

#endif
