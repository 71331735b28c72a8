/* Where things are in the browser's private mount namespace. Everything here is on a tmpfs that ends with it. */
#ifndef KEYWARD_BROWSER_SHIM_LAYOUT_H
#define KEYWARD_BROWSER_SHIM_LAYOUT_H

/* Ours: read-only once the browser runs. */
#define LAYOUT_OWN "/home/keyward"
#define LAYOUT_MODULE LAYOUT_OWN "/module.so"
#define LAYOUT_XAUTHORITY LAYOUT_OWN "/Xauthority"
#define LAYOUT_WAYLAND LAYOUT_OWN "/wayland"
#define LAYOUT_POLICY LAYOUT_OWN "/policy"

/* The browser's: made anew for each start. */
#define LAYOUT_HOME "/home/kiosk"
#define LAYOUT_PROFILE LAYOUT_HOME "/profile"
#define LAYOUT_RUNTIME LAYOUT_HOME "/run"
#define LAYOUT_SCREENSHOT LAYOUT_HOME "/screenshot.png"

#endif
