/* Entity tags of files (RFC 9110, 8.8.3). */
#ifndef KEYWARD_WEB_HTTP_ETAG_H
#define KEYWARD_WEB_HTTP_ETAG_H

#include <sys/stat.h>

#define ETAG_MAX 64u

/* etag_of_file writes a strong tag, with its quotes, of the file's time, size and inode, and what tells this form of
 * the file from others: at most 3 letters. */
void etag_of_file(char out[ETAG_MAX], const struct stat *stat, const char *form);

/* etag_of_form makes a tag of etag_of_file's without a form one of this form. */
void etag_of_form(char out[ETAG_MAX], const char *etag, const char *form);

#endif
