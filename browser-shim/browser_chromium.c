/* Chromium as Debian has it. */
#include "browser-shim/browser_kind.h"
#include "browser-shim/layout.h"

static const struct profile_file files[] = {
    {".pki/nssdb/pkcs11.txt", "library=@MODULE@\nname=Keyward\n"},
    /* One filter without a condition: any certificate will do, and there is only one. The rest keeps bubbles away that
     * nobody stands at a kiosk to answer. */
    {"profile/Default/Preferences", "{\"profile\":{\"content_settings\":{\"exceptions\":{\"auto_select_certificate\":"
                                    "{\"@ORIGIN@,*\":{\"setting\":{\"filters\":[{}]}}}}},\"exit_type\":\"Normal\"},"
                                    "\"credentials_enable_service\":false,\"translate\":{\"enabled\":false}}\n"},
};

/* Names and values as in Chrome Enterprise's list of policies. */
static const char policy[] = "{\"AllowFileSelectionDialogs\":false,"
                             "\"AudioCaptureAllowed\":false,"
                             "\"AutofillAddressEnabled\":false,"
                             "\"AutofillCreditCardEnabled\":false,"
                             "\"BackgroundModeEnabled\":false,"
                             "\"BrowserAddPersonEnabled\":false,"
                             "\"BrowserGuestModeEnabled\":false,"
                             "\"BrowserSignin\":0,"
                             "\"DefaultGeolocationSetting\":2,"
                             "\"DefaultNotificationsSetting\":2,"
                             "\"DefaultPopupsSetting\":2,"
                             "\"DeveloperToolsAvailability\":2,"
                             "\"DownloadRestrictions\":3,"
                             "\"EditBookmarksEnabled\":false,"
                             "\"ExtensionInstallBlocklist\":[\"*\"],"
                             "\"IncognitoModeAvailability\":1,"
                             "\"MetricsReportingEnabled\":false,"
                             "\"PasswordManagerEnabled\":false,"
                             "\"PrintingEnabled\":false,"
                             "\"ScreenCaptureAllowed\":false,"
                             "\"SyncDisabled\":true,"
                             "\"TaskManagerEndProcessEnabled\":false,"
                             "\"TranslateEnabled\":false,"
                             "\"URLAllowlist\":[\"@ORIGIN@\"],"
                             "\"URLBlocklist\":[\"*\"],"
                             "\"VideoCaptureAllowed\":false}\n";

/* A screen to paint on is only needed where somebody looks. */
static void add_mode(struct browser_command *command, const struct shim_setup *setup)
{
    if (!setup->headless && !setup->has_screenshot) {
        if (setup->kiosk) browser_argument(command, "--kiosk");
        browser_argument(command,
                         setup->wayland_display[0] != '\0' ? "--ozone-platform=wayland" : "--ozone-platform=x11");
        return;
    }
    browser_argument(command, "--headless");
    browser_argument(command, "--disable-gpu");
    if (!setup->has_screenshot) return;
    browser_argument(command, "--screenshot=" LAYOUT_SCREENSHOT);
    browser_argument(command, "--window-size=1280,900");
    browser_argument(command, "--hide-scrollbars");
    /* The page's clock runs ahead while nothing is loading and stands still while something is, so that its own requests
     * have been answered by the time the picture is taken. */
    browser_argument(command, "--virtual-time-budget=5000");
}

static void describe(struct browser_command *command, const struct shim_setup *setup)
{
    static const char *const always[] = {
        "--user-data-dir=" LAYOUT_PROFILE,
        "--no-first-run",
        "--no-default-browser-check",
        "--password-store=basic", /* no keyring to ask for: there is no D-Bus in there */
        "--disable-breakpad",     /* nowhere to send a crash to */
        /* It reaches one server, and that one over TCP. */
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    };
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) browser_argument(command, always[i]);
    add_mode(command, setup);
    browser_argument(command, setup->url);
}

const struct browser_kind browser_chromium = {
    .name = "chromium",
    .program = "/usr/lib/chromium/chromium",
    .package = "chromium",
    .files = files,
    .num_files = sizeof files / sizeof files[0],
    .policy_dir = "/etc/chromium",
    .managed_dir = "policies/managed",
    .policy = {"policies/managed/00-keyward.json", policy}, /* an operator's come behind it, and win */
    .describe = describe,
};
