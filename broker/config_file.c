#include "broker/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>

#include "base/auto.h"

static void auto_fclose(FILE **file)
{
    if (*file) fclose(*file);
}

/* libinih tells its handler no line number, and cuts long lines silently. Both are seen here, where it asks for the
 * lines one by one. */
struct reading {
    FILE *file;
    const char *path;
    struct config *config;
    int line;
    int failed_line; /* the first that was refused; 0: none */
    enum err err;
    struct diag *diag;
    bool in_headers;
    int set_on[CONFIG_MAX_ROWS]; /* the line that set the option */
};

static void refuse(struct reading *reading, const char *text)
{
    if (reading->failed_line != 0) return;
    reading->failed_line = reading->line;
    reading->err = diag_set(reading->diag, ERR_INPUT, "%s:%d: %s", reading->path, reading->line, text);
}

/* What is wrong with the line that fgets read, or NULL. */
static const char *line_fault(FILE *file, const char *line, int size)
{
    enum { SECTION_MAX = 49 }; /* libinih cuts what is longer */
    size_t len = strlen(line);
    const char *section = line + strspn(line, " \t");
    if (section[0] == '[' && strcspn(section + 1, "]\n") > SECTION_MAX)
        return "the section's name is too long (49 bytes at most); give long ones as flags";
    if (len > 0 && line[len - 1] == '\n') return NULL;
    if (len + 1 < (size_t)size) return feof(file) ? NULL : "the line has a NUL byte in it";
    return getc(file) == EOF ? NULL : "the line is too long (198 bytes at most); give long values as flags";
}

/* The values of this section have semicolons of their own, and half of a policy is none. */
static bool in_headers(struct reading *reading, const char *line)
{
    static const char section[] = "[headers]";
    line += strspn(line, " \t");
    if (line[0] == '[') reading->in_headers = strncmp(line, section, sizeof section - 1) == 0;
    return reading->in_headers && line[0] != ';' && line[0] != '#';
}

/* In the manner of fgets, as ini_parse_stream wants it. */
static char *read_line(char *line, int size, void *context)
{
    struct reading *reading = context;
    if (reading->failed_line != 0 || !fgets(line, size, reading->file)) return NULL;
    reading->line++;
    const char *fault = line_fault(reading->file, line, size);
    if (fault) {
        refuse(reading, fault);
        return NULL;
    }
    if (in_headers(reading, line) && (strstr(line, " ;") != NULL || strstr(line, "\t;") != NULL)) {
        refuse(reading, "[headers] a ';' behind a blank begins a comment; write it without the blank");
        return NULL;
    }
    /* A line that starts with a blank would continue the value above it. Nothing here has values of several lines. */
    size_t blanks = strspn(line, " \t");
    memmove(line, line + blanks, strlen(line + blanks) + 1);
    return line;
}

static int take_value(void *context, const char *section, const char *key, const char *value)
{
    struct reading *reading = context;
    struct diag why = {0};
    char text[sizeof why.text];
    if (reading->failed_line != 0) return 0;
    int row = config_row_of(section, key);
    if (row < 0) {
        if (section[0] == '\0') {
            snprintf(text, sizeof text, "'%s' stands before the first section; start with one, such as [listen]", key);
        } else if (!config_has_section(section)) {
            snprintf(text, sizeof text, "there is no section [%s]", section);
        } else {
            snprintf(text, sizeof text, "there is no option '%s' in [%s]", key, section);
        }
        refuse(reading, text);
        return 0;
    }
    if (config_is_set(reading->config, section, key)) {
        snprintf(text, sizeof text, "[%s] %s is set twice", section, key);
        refuse(reading, text);
        return 0;
    }
    if (reading->set_on[row] != 0 && !config_repeats(row)) {
        snprintf(text, sizeof text, "[%s] %s is set twice; line %d has it already", section, key, reading->set_on[row]);
        refuse(reading, text);
        return 0;
    }
    reading->set_on[row] = reading->line;
    if (config_set(reading->config, section, key, value, &why) != ERR_OK) {
        snprintf(text, sizeof text, "[%s] %s: %.900s", section, key, why.text);
        refuse(reading, text);
        return 0;
    }
    return 1;
}

/* NULL with errno. */
static FILE *open_file(struct opener *opener, const char *path)
{
    AUTO_FD fd = opener_open(opener, path, O_RDONLY);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file) (void)auto_keep_fd(&fd);
    return file;
}

enum err config_file_load(struct config *config, struct opener *opener, const char *path, struct diag *diag)
{
    AUTO(auto_fclose) FILE *file = open_file(opener, path);
    if (!file)
        return diag_set(diag, ERR_INPUT, "--config '%s': %s; give a file that can be read", path, strerror(errno));
    struct reading reading = {.file = file, .path = path, .config = config, .diag = diag};
    int bad_line = ini_parse_stream(read_line, &reading, take_value, &reading);
    if (ferror(file)) return diag_set(diag, ERR_INPUT, "--config '%s': cannot be read; give a file", path);
    if (reading.failed_line != 0 && (bad_line == 0 || bad_line >= reading.failed_line)) return reading.err;
    if (bad_line != 0) {
        return diag_set(diag, ERR_INPUT, "%s:%d: neither '[section]' nor 'key = value' nor a '#' comment", path,
                        bad_line);
    }
    return ERR_OK;
}
