/* This process's own memory, as /proc shows it. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_MEMORY_MAP_H
#define KEYWARD_TESTS_UNIT_KEYD_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* memory_map_line writes the line of /proc/self/maps for the mapping that holds address. */
bool memory_map_line(char *out, size_t out_len, const void *address);

/* memory_map_has_flag looks for a flag of two letters in the VmFlags of the mapping, such as "dd" (proc(5)). */
bool memory_map_has_flag(const void *address, const char *flag);

/* memory_map_find counts where needle is in memory that can be written, outside of secretmem. */
size_t memory_map_find(const uint8_t *needle, size_t len);

#endif
