/* The audit log for people: a line for each record. */
#ifndef KEYWARD_BROKER_AUDIT_SHOW_H
#define KEYWARD_BROKER_AUDIT_SHOW_H

#include <stdio.h>

#include "broker/audit_record.h"

enum audit_colour { AUDIT_PLAIN, AUDIT_COLOURED };

/* audit_show writes one line: number, local time, what happened, and to whom. What was refused, cut, lost or blocked begins with
 * '!', in red on a terminal. Nothing but printable characters, whatever is in the record. */
void audit_show(FILE *out, const struct audit_record *record, enum audit_colour colour);

/* audit_show_json writes the record's own line. */
void audit_show_json(FILE *out, const struct audit_record *record);

#endif
