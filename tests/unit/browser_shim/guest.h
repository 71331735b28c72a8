/* What a browser does with the module, for the bodies of fake_browser. Every function ends the child if something fails
 * that does not belong to the test. */
#ifndef KEYWARD_TESTS_UNIT_BROWSER_SHIM_GUEST_H
#define KEYWARD_TESTS_UNIT_BROWSER_SHIM_GUEST_H

#include <stdbool.h>

#include "browser-shim/module/cryptoki.h"
#include "tests/unit/browser_shim/fake_keyd.h"

#define GUEST_MODULE "browser-shim/module.so"
#define GUEST_SLOT 1

/* guest_identity is what RUN's keyd has; the suite's init makes it. */
extern struct fake_identity guest_identity;
void guest_make_identity(void);

#define RUN(manner, body) cr_assert_eq(fake_browser(&guest_identity, manner, body, NULL), 0)

/* guest_load loads the module; guest_start initializes it as well. */
struct ck_function_list *guest_load(void);
struct ck_function_list *guest_start(void);

ck_session_handle_t guest_session(struct ck_function_list *p11);

/* guest_find returns the number of objects of the class, and the first one. */
unsigned long guest_find(struct ck_function_list *p11, ck_session_handle_t session, ck_object_class_t class,
                         ck_object_handle_t *out);
ck_object_handle_t guest_key(struct ck_function_list *p11, ck_session_handle_t session);

ck_rv_t guest_sign(struct ck_function_list *p11, ck_session_handle_t session, const uint8_t digest[32],
                   uint8_t signature[64]);

/* guest_sign_once signs something in a session of its own. */
ck_rv_t guest_sign_once(struct ck_function_list *p11);

bool guest_verifies(const struct fake_identity *identity, const uint8_t digest[32], const uint8_t signature[64]);

#endif
