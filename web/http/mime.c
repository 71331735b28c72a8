#include "web/http/mime.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *extension;
    const char *type;
} types[] = {
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml; charset=utf-8"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml; charset=utf-8"},
    {"xml", "text/xml; charset=utf-8"},
    {"zip", "application/zip"},
};

const char *mime_type(const char *name)
{
    const char *base = strrchr(name, '/');
    const char *dot = strrchr(base != NULL ? base : name, '.');
    if (dot == NULL) return "application/octet-stream";
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot + 1, types[i].extension) == 0) return types[i].type;
    }
    return "application/octet-stream";
}

bool mime_compresses(const char *type)
{
    static const char *const others[] = {"application/json",
                                         "application/manifest+json",
                                         "application/wasm",
                                         "application/xhtml+xml",
                                         "font/otf",
                                         "font/ttf",
                                         "image/bmp",
                                         "image/svg+xml",
                                         "image/vnd.microsoft.icon"};
    size_t len = strcspn(type, ";");
    if (strncmp(type, "text/", 5) == 0) return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (len == strlen(others[i]) && memcmp(type, others[i], len) == 0) return true;
    return false;
}
