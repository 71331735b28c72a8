#!/bin/sh
# Writes the built-in page as C: embed.sh PATH TYPE FILE [PATH TYPE FILE]... > page_data.c
set -eu

echo '#include "web/http/page.h"'
rows=''
number=0
while [ $# -ge 3 ]; do
    number=$((number + 1))
    digest=$(sha256sum < "$3" | cut -c 1-32)
    echo "static const uint8_t resource_$number[] = {"
    od -An -v -tx1 "$3" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
    rows="$rows    {\"$1\", \"$2\", {resource_$number, sizeof(resource_$number)}, \"\\\\\"$digest\\\\\"\"},
"
    shift 3
done
echo 'const struct page_resource page_resources[] = {'
printf '%b' "$rows"
echo '    {NULL, NULL, {NULL, 0}, NULL},'
echo '};'
