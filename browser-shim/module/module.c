#include "browser-shim/module/module.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "browser-shim/layout.h"
#include "browser-shim/module/supply.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int owner; /* the pid that initialised the module; 0: nobody */
static struct module state;

/* These outlive C_Finalize. */
static int handle_fd = TOKEN_FD;
static ck_object_handle_t next_object = 1; /* a number that stood for one key never stands for another */

/* Runs when the browser loads the module, before it can start a program that would inherit the handle. Firefox starts one
 * before it loads any module: so it is started with this one preloaded, and what it starts is not to have it too. */
__attribute__((constructor)) static void guard_handle(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload != NULL && strcmp(preload, LAYOUT_MODULE) == 0) unsetenv("LD_PRELOAD");
    (void)token_guard(TOKEN_FD);
    (void)token_guard(SUPPLY_FD);
}

/* Without a handle this is a slot without a token, which is no error. */
static void show_token(struct token *token)
{
    state.token = token;
    if (token == NULL || objects_init(&state.objects, token_describe(token), next_object) == ERR_OK) return;
    token_drop(token);
    state.token = NULL;
}

static bool is_same_token(const struct token *a, const struct token *b)
{
    if (a == NULL || b == NULL) return false;
    const struct token_description *one = token_describe(a), *other = token_describe(b);
    return strcmp(one->label, other->label) == 0 && bytes_equal(one->leaf, other->leaf) &&
           bytes_equal(one->issuer, other->issuer) && bytes_equal(one->server_ca, other->server_ca);
}

/* A new handle to the same key is not to be noticed. Another key is another token. NSS learns of that by asking for a
 * session's state, which it does once a second, and looks at everything anew; but what it searches in between has to find
 * the new CA, or Chromium keeps it in mind for half an hour that the server cannot be trusted. So sessions stay open. */
static void take_new_handle(void)
{
    struct token *fresh = NULL, *old = state.token;
    int fd = supply_take();
    if (fd < 0) return;
    if (token_open(&fresh, fd) != ERR_OK) {
        close(fd);
        return;
    }
    if (!is_same_token(fresh, old)) {
        session_outlive_all(&state.sessions);
        next_object += OBJECTS_MAX;
        state.exchanged = true;
    }
    handle_fd = fd;
    show_token(fresh);
    if (old == NULL) return;
    token_retire(old);
    token_drop(old);
}

ck_rv_t module_start(void)
{
    /* In a fork's child the lock may be held for ever by a thread that is not there. */
    int initialised_by = atomic_load(&owner);
    if (initialised_by != 0 && initialised_by != getpid()) return CKR_GENERAL_ERROR;
    pthread_mutex_lock(&lock);
    if (atomic_load(&owner) != 0) return module_leave(CKR_CRYPTOKI_ALREADY_INITIALIZED);
    state = (struct module){0};
    struct token *token = NULL;
    if (token_open(&token, handle_fd) == ERR_OK) show_token(token);
    take_new_handle();
    state.was_present = module_has_token(&state);
    state.exchanged = false;
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
    if (atomic_load(&owner) != getpid()) {
        pthread_mutex_unlock(&lock);
        return NULL;
    }
    take_new_handle();
    return &state;
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

bool module_renewed(struct token **token, ck_object_handle_t key)
{
    struct module *module = module_enter();
    if (module == NULL) return false;
    const bool is_new = module->token != NULL && module->token != *token && module->objects.private_key == key;
    if (is_new) {
        token_drop(*token);
        *token = module->token;
        token_hold(*token);
    }
    pthread_mutex_unlock(&lock);
    return is_new;
}

bool module_has_token(struct module *module)
{
    return module->token != NULL && token_is_present(module->token);
}
