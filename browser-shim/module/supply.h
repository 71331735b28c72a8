/* Where new handles come from while the browser runs: a channel that it inherits next to its handle. Who started the
 * browser sends SHIM_RENEW on it; nothing is answered. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_SUPPLY_H
#define KEYWARD_BROWSER_SHIM_MODULE_SUPPLY_H

/* Where the browser finds the channel. */
#define SUPPLY_FD 4

/* supply_take returns the newest handle that has come, the caller's to close; -1: none. What came before it and was not
 * taken is closed. Never waits. A channel that carries anything else is not listened to again. Not locked. */
int supply_take(void);

#endif
