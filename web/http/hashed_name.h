/* Names that change with the content, as the tools that build web pages make them: what has such a name may be kept for
 * ever. */
#ifndef KEYWARD_WEB_HTTP_HASHED_NAME_H
#define KEYWARD_WEB_HTTP_HASHED_NAME_H

#include <stdbool.h>

/* hashed_name says whether the path's last part has a hash in it:
 *   app.0a1b2c3d.js               8 to 64 lower-case hexadecimal digits, of them letters and numerals
 *   assets/index-BX1a2b3c.js      directly beneath a directory "assets": 8 letters of base64url, of them upper-case,
 *                                 lower-case, and a numeral before a letter, so that Chapter2 is none
 * ".map" behind it belongs to it. HTML never counts: it is what names the others. One hash in three of the second kind
 * looks like a word and is not recognised, which costs a question, and no more. */
bool hashed_name(const char *path);

#endif
