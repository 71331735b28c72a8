/* Where keyd's secrets live: a heap that BoringSSL allocates everything from (this file defines its
 * OPENSSL_memory_alloc, OPENSSL_memory_free and OPENSSL_memory_get_size), and a stack on which keyd computes, since a
 * signature leaves its nonce and pieces of the key in the frames of its functions.
 *
 * Without room an allocation gives NULL, and BoringSSL fails the one operation. What it makes lazily and could not do
 * without later is made before the first request (keyd_new). */
#ifndef KEYWARD_KEYD_SECRET_MEMORY_H
#define KEYWARD_KEYD_SECRET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "keyd/secret_region.h"

/* secret_memory_init maps heap and stack: memfd_secret where the kernel has it, otherwise locked memory. To be called
 * before the sandbox; the second call does nothing. ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err secret_memory_init(struct diag *diag);

/* secret_memory_kind says which kind it is. Only after secret_memory_init. */
enum secret_kind secret_memory_kind(void);

/* secret_memory_in_use returns how many bytes of the heap are taken, and of the one aside. */
size_t secret_memory_in_use(void);

/* Between secret_memory_step_aside and secret_memory_step_back, BoringSSL allocates from another heap, LIMIT_ASIDE_HEAP
 * bytes that are one piece again each time. What is computed there is something that a peer can make large: however large,
 * the keys' heap neither runs out by it nor is cut into pieces. Not to be nested; all has to be freed before the end.
 * secret_memory_step_back says whether there was room for everything. */
void secret_memory_step_aside(void);
MUST_CHECK bool secret_memory_step_back(void);

/* secret_memory_holds says whether the address is on a heap or on the stack. */
bool secret_memory_holds(const void *address);

/* secret_memory_run calls function on the secret stack and returns when it does. Not to be nested. */
void secret_memory_run(void (*function)(void *context), void *context);

#endif
