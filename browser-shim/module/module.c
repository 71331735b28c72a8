#include "browser-shim/module/module.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int owner; /* the pid that initialised the module; 0: nobody */
static struct module state;

/* Runs when the browser loads the module, before it can start a program that would inherit the handle. */
__attribute__((constructor)) static void guard_handle(void)
{
    (void)token_guard(TOKEN_FD);
}

ck_rv_t module_start(void)
{
    /* In a fork's child the lock may be held for ever by a thread that is not there. */
    int initialised_by = atomic_load(&owner);
    if (initialised_by != 0 && initialised_by != getpid()) return CKR_GENERAL_ERROR;
    pthread_mutex_lock(&lock);
    if (atomic_load(&owner) != 0) return module_leave(CKR_CRYPTOKI_ALREADY_INITIALIZED);
    state = (struct module){0};
    /* Without a handle this is a slot without a token, which is no error. */
    if (token_open(&state.token, TOKEN_FD) == ERR_OK &&
        objects_init(&state.objects, token_describe(state.token)) != ERR_OK) {
        token_drop(state.token);
        state.token = NULL;
    }
    atomic_store(&owner, getpid());
    return module_leave(CKR_OK);
}

ck_rv_t module_stop(void)
{
    struct module *module = module_enter();
    if (module == NULL) return CKR_CRYPTOKI_NOT_INITIALIZED;
    token_drop(module->token);
    *module = (struct module){0};
    atomic_store(&owner, 0);
    return module_leave(CKR_OK);
}

struct module *module_enter(void)
{
    if (atomic_load(&owner) != getpid()) return NULL;
    pthread_mutex_lock(&lock);
    if (atomic_load(&owner) == getpid()) return &state;
    pthread_mutex_unlock(&lock);
    return NULL;
}

ck_rv_t module_leave(ck_rv_t rv)
{
    pthread_mutex_unlock(&lock);
    return rv;
}

struct module *module_enter_session(ck_rv_t *out_rv, struct session **out_session, ck_session_handle_t handle)
{
    struct module *module = module_enter();
    *out_rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    *out_session = NULL;
    if (module == NULL) return NULL;
    *out_session = session_find(&module->sessions, handle);
    *out_rv = *out_session != NULL ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
    if (*out_rv != CKR_OK) {
        pthread_mutex_unlock(&lock);
        return NULL;
    }
    return module;
}

bool module_has_token(struct module *module)
{
    return module->token != NULL && token_is_present(module->token);
}
