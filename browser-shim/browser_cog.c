/* Cog, the single-window browser of WPE WebKit, as Debian has it. */
#include "browser-shim/browser_kind.h"
#include "browser-shim/layout.h"

static void describe(struct browser_command *command, const struct shim_setup *setup)
{
    browser_argument(command, setup->headless ? "--platform=headless" : "--platform=wl");
    browser_argument(command, "--webprocess-failure=exit"); /* whoever started it starts it again, on the page */
    browser_argument(command, setup->url);
    browser_variable(command, "GIO_USE_VFS=local"); /* no D-Bus in there to look for */
    browser_variable(command, "GSETTINGS_BACKEND=memory");
    browser_variable(command, "NO_AT_BRIDGE=1");
    if (!setup->headless && setup->kiosk) browser_variable(command, "COG_PLATFORM_WL_VIEW_FULLSCREEN=1");
}

const struct browser_kind browser_cog = {
    .name = "cog",
    .program = "/usr/bin/cog",
    .package = "cog",
    .describe = describe,
};
