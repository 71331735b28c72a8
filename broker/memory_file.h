/* Files that are only memory, for handing over with a message. */
#ifndef KEYWARD_BROKER_MEMORY_FILE_H
#define KEYWARD_BROKER_MEMORY_FILE_H

/* memory_file_new makes an empty one that can be sealed and never executed. Returns its descriptor, or -1 and sets
 * errno. */
int memory_file_new(const char *name);

#endif
