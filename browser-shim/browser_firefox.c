/* Firefox ESR as Debian has it. */
#include "browser-shim/browser_kind.h"
#include "browser-shim/layout.h"

static const struct profile_file files[] = {
    {"profile/pkcs11.txt", "library=@MODULE@\nname=Keyward\n"},
    {"profile/user.js",
     /* Any certificate will do, and there is only one: of our module, not of the system's. */
     "user_pref(\"security.default_personal_cert\", \"Select Automatically\");\n"
     "user_pref(\"security.osclientcerts.autoload\", false);\n"
     "user_pref(\"security.enterprise_roots.enabled\", false);\n"
     /* It reaches one server, and that one over TCP. */
     "user_pref(\"network.http.http3.enable\", false);\n"
     "user_pref(\"network.trr.mode\", 5);\n"
     "user_pref(\"network.captive-portal-service.enabled\", false);\n"
     "user_pref(\"network.connectivity-service.enabled\", false);\n"
     "user_pref(\"network.manage-offline-status\", false);\n"
     "user_pref(\"network.proxy.type\", 0);\n"
     "user_pref(\"security.OCSP.enabled\", 0);\n"
     "user_pref(\"app.update.auto\", false);\n"
     "user_pref(\"app.normandy.enabled\", false);\n"
     "user_pref(\"browser.safebrowsing.malware.enabled\", false);\n"
     "user_pref(\"browser.safebrowsing.phishing.enabled\", false);\n"
     "user_pref(\"datareporting.policy.dataSubmissionEnabled\", false);\n"
     "user_pref(\"toolkit.telemetry.enabled\", false);\n"
     "user_pref(\"extensions.systemAddon.update.enabled\", false);\n"
     /* Questions that nobody stands at a kiosk to answer. */
     "user_pref(\"browser.aboutwelcome.enabled\", false);\n"
     "user_pref(\"browser.shell.checkDefaultBrowser\", false);\n"
     "user_pref(\"browser.startup.homepage_override.mstone\", \"ignore\");\n"
     "user_pref(\"browser.sessionstore.resume_from_crash\", false);\n"
     "user_pref(\"browser.tabs.warnOnClose\", false);\n"
     "user_pref(\"browser.translations.enable\", false);\n"
     "user_pref(\"datareporting.policy.dataSubmissionPolicyBypassNotification\", true);\n"
     "user_pref(\"signon.rememberSignons\", false);\n"
     "user_pref(\"toolkit.startup.max_resumed_crashes\", -1);\n"},
};

/* Names as in Firefox's policy templates. */
static const char policy[] =
    "{\"policies\":{"
    "\"BlockAboutAddons\":true,"
    "\"BlockAboutConfig\":true,"
    "\"BlockAboutProfiles\":true,"
    "\"BlockAboutSupport\":true,"
    "\"DisableAppUpdate\":true,"
    "\"DisableDeveloperTools\":true,"
    "\"DisableFirefoxAccounts\":true,"
    "\"DisableFormHistory\":true,"
    "\"DisablePrivateBrowsing\":true,"
    "\"DisableProfileImport\":true,"
    "\"DisableSetDesktopBackground\":true,"
    "\"DisableTelemetry\":true,"
    "\"DontCheckDefaultBrowser\":true,"
    "\"ExtensionSettings\":{\"*\":{\"installation_mode\":\"blocked\"}},"
    "\"NoDefaultBookmarks\":true,"
    "\"OfferToSaveLogins\":false,"
    "\"Permissions\":{\"Camera\":{\"BlockNewRequests\":true},\"Location\":{\"BlockNewRequests\":true},"
    "\"Microphone\":{\"BlockNewRequests\":true},\"Notifications\":{\"BlockNewRequests\":true}},"
    "\"PrintingEnabled\":false,"
    "\"WebsiteFilter\":{\"Block\":[\"<all_urls>\"],\"Exceptions\":[\"@SITE@/*\"]}}}\n";

static void describe(struct browser_command *command, const struct shim_setup *setup)
{
    browser_argument(command, "--no-remote");
    browser_argument(command, "--profile");
    browser_argument(command, LAYOUT_PROFILE);
    if (setup->headless || setup->has_screenshot) browser_argument(command, "--headless");
    if (setup->has_screenshot) {
        browser_argument(command, "--window-size=1280,900");
        browser_argument(command, "--screenshot");
        browser_argument(command, LAYOUT_SCREENSHOT);
    } else if (!setup->headless && setup->kiosk) {
        browser_argument(command, "--kiosk");
    }
    browser_argument(command, setup->url);
    /* Its helper for crashes starts before any module is loaded, and would inherit the handle. */
    browser_variable(command, "LD_PRELOAD=%s", LAYOUT_MODULE);
    browser_variable(command, "MOZ_CRASHREPORTER_DISABLE=1"); /* nowhere to send a crash to */
    browser_variable(command, "MOZ_DATA_REPORTING=0");
    if (setup->wayland_display[0] != '\0') browser_variable(command, "MOZ_ENABLE_WAYLAND=1");
}

const struct browser_kind browser_firefox = {
    .name = "firefox",
    .program = "/usr/lib/firefox-esr/firefox-esr",
    .package = "firefox-esr",
    .files = files,
    .num_files = sizeof files / sizeof files[0],
    .policy_dir = "/usr/share/firefox-esr/distribution", /* what an operator has in /etc/firefox/policies wins */
    .policy = {"policies.json", policy},
    .describe = describe,
};
