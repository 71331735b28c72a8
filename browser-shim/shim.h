/* Browser mode: the broker's agent on the browser's side. */
#ifndef KEYWARD_BROWSER_SHIM_SHIM_H
#define KEYWARD_BROWSER_SHIM_SHIM_H

/* shim_run serves the channel to the broker until it is told to stop or the broker is gone, and returns the exit
 * code. */
int shim_run(int broker_fd);

#endif
