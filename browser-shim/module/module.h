/* The module's one state: whether it is initialised, its token, objects and sessions.
 *
 * It is a guest in somebody else's process: no signal handler, no atexit, no output, no look at the environment but for the
 * variable that had it loaded. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_MODULE_H
#define KEYWARD_BROWSER_SHIM_MODULE_MODULE_H

#include "browser-shim/module/cryptoki.h"
#include "browser-shim/module/objects.h"
#include "browser-shim/module/session.h"
#include "browser-shim/module/token.h"

#define MODULE_SLOT 1

/* The only slot's contents, valid between module_enter and module_leave. */
struct module {
    struct token *token; /* NULL: there is no handle */
    struct objects objects;
    struct sessions sessions;
    bool was_present; /* as C_WaitForSlotEvent told it last */
    bool exchanged;   /* the token is another one since */
};

/* module_start and module_stop are C_Initialize and C_Finalize once the arguments are checked. */
ck_rv_t module_start(void);
ck_rv_t module_stop(void);

/* module_enter takes the lock and returns the state; every such call ends with module_leave. NULL and no lock if the
 * module is not initialised in this process: what a fork leaves behind does not count, for a handle is lent to one
 * process. */
struct module *module_enter(void);

/* module_leave gives the lock back and returns rv, so that a function can end with it. */
ck_rv_t module_leave(ck_rv_t rv);

/* module_enter_session is module_enter and the session's look-up. If out_rv is not CKR_OK there is no lock. */
struct module *module_enter_session(ck_rv_t *out_rv, struct session **out_session, ck_session_handle_t handle);

/* module_renewed says whether a handle for the same key has taken this one's place: then it is there instead, held, and
 * the other one dropped. */
bool module_renewed(struct token **token, ck_object_handle_t key);

/* module_has_token says whether the handle is there and alive. */
bool module_has_token(struct module *module);

#endif
