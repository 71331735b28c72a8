#include "tests/unit/keyd/memory_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool parse_range(const char *line, uintptr_t *start, uintptr_t *end)
{
    return sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", start, end) == 2;
}

bool memory_map_line(char *out, size_t out_len, const void *address)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;
    uintptr_t start, end;
    while (!found && fgets(out, (int)out_len, maps) != NULL)
        found = parse_range(out, &start, &end) && (uintptr_t)address >= start && (uintptr_t)address < end;
    fclose(maps);
    return found;
}

bool memory_map_has_flag(const void *address, const char *flag)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false, found = false;
    uintptr_t start, end;
    while (fgets(line, sizeof(line), smaps) != NULL) {
        if (parse_range(line, &start, &end)) inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        char wanted[8];
        snprintf(wanted, sizeof(wanted), " %s", flag);
        if (inside && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, wanted) != NULL;
    }
    fclose(smaps);
    return found;
}

static size_t find_in(const uint8_t *data, size_t data_len, const uint8_t *needle, size_t len)
{
    size_t num = 0;
    for (size_t i = 0; i + len <= data_len; i++) {
        /* The needle itself is outside of what is searched. */
        if (data[i] == needle[0] && memcmp(data + i, needle, len) == 0) num++;
    }
    return num;
}

size_t memory_map_find(const uint8_t *needle, size_t len)
{
    static struct {
        uintptr_t start, end;
    } ranges[4096];
    size_t num_ranges = 0, num = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (fgets(line, sizeof(line), maps) != NULL && num_ranges < 4096) {
        const bool searched = strstr(line, " rw") != NULL && strstr(line, "secretmem") == NULL;
        if (searched && parse_range(line, &ranges[num_ranges].start, &ranges[num_ranges].end)) num_ranges++;
    }
    fclose(maps);
    for (size_t i = 0; i < num_ranges; i++) {
        const size_t data_len = ranges[i].end - ranges[i].start;
        num += find_in((const uint8_t *)ranges[i].start, data_len, needle, len);
    }
    return num;
}
