/* Epiphany, GNOME's browser, as Debian has it. */
#include "browser-shim/browser_kind.h"
#include "browser-shim/layout.h"

static void describe(struct browser_command *command, const struct shim_setup *setup)
{
    browser_argument(command, "--private-instance");
    browser_argument(command, "--profile");
    browser_argument(command, LAYOUT_PROFILE);
    browser_argument(command, setup->url);
    browser_variable(command, "GIO_USE_VFS=local"); /* nothing on the bus to look for */
    browser_variable(command, "GSETTINGS_BACKEND=memory");
    browser_variable(command, "NO_AT_BRIDGE=1");
    /* bubblewrap mounts, which nobody may in there. */
    browser_variable(command, "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1");
}

const struct browser_kind browser_epiphany = {
    .name = "epiphany",
    .program = "/usr/bin/epiphany",
    .package = "epiphany-browser",
    .runner = "/usr/bin/dbus-run-session", /* it crashes without a session bus: it gets one of its own */
    .describe = describe,
};
