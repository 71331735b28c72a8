#!/usr/bin/env bash
# Runs fuzz targets with libFuzzer, each for some time, and prints what they did:
#
#   tests/fuzz/run.sh                              every target for 60 s
#   tests/fuzz/run.sh --seconds 600 whole_fuzz     one of them for ten minutes
#   tests/fuzz/run.sh --lines codec_fuzz           also which lines of our own code its corpus reaches (llvm-cov)
#
# What is found new joins a corpus in --corpus DIR (default: a directory below /tmp that is named at the end); inputs that
# fail are written there as crash-*. The committed corpora are read and left alone.
#
# Exit codes: 0 nothing was found, 1 a target failed, 100 the caller has to do something (it says what).
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
cd "$root"

fail() { # TEXT...
    printf 'fuzz: %s\n' "$*" >&2
    exit 100
}

seconds=60 lines=no found='' wanted=()
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=${2-} && shift ;;
    --corpus) found=${2-} && shift ;;
    --lines) lines=yes ;;
    -*) fail "'$1' is not an option; usage: tests/fuzz/run.sh [--seconds N] [--corpus DIR] [--lines] [TARGET...]" ;;
    *) wanted+=("$1") ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "--seconds wants a number, not '$seconds'"
[ -n "$found" ] || found=$(mktemp -d /tmp/keyward-fuzz-XXXXXX)
command -v clang >/dev/null || fail "clang is missing: run tools/bootstrap --all"

# Every target of kw_fuzz has a test that replays its corpus.
mapfile -t targets < <(bazel query --noshow_progress 'kind(cc_test, //tests/fuzz/...)' 2>/dev/null | sed -n 's/_replay$//p' | sort)
if [ ${#wanted[@]} -gt 0 ]; then
    chosen=()
    for name in "${wanted[@]}"; do
        mapfile -t matching < <(printf '%s\n' "${targets[@]}" | grep -E "(^|:)${name#:}\$")
        [ ${#matching[@]} -gt 0 ] || fail "there is no target '$name'; there are: ${targets[*]##*:}"
        chosen+=("${matching[@]}")
    done
    targets=("${chosen[@]}")
fi

build() { # BAZEL-OPTION...
    bazel build --noshow_progress --config=fuzz "$@" "${targets[@]}"
}

binary() { # TARGET
    local label=${1#//}
    printf '%s/%s\n' "$bin" "${label/://}"
}

# The committed files of a target, as its replay test has them.
corpus() { # TARGET
    bazel query --noshow_progress "labels(data, ${1}_replay)" 2>/dev/null | sed 's|^//||; s|:|/|'
}

field() { # NAME LOG
    sed -n "s/^stat::$1: *//p" "$2" | tail -n 1
}

build
bin=$(bazel info --noshow_progress --config=fuzz bazel-bin)
status=0
printf '%-20s %12s %8s %8s %8s  %s\n' target executions 'per s' edges inputs result
for target in "${targets[@]}"; do
    name=${target##*:}
    mkdir -p "$found/$name" "$found/seeds/$name"
    while read -r file; do cp --no-clobber "$file" "$found/seeds/$name/"; done < <(corpus "$target")
    log=$found/$name.log
    result=ok
    "$(binary "$target")" -max_total_time="$seconds" -print_final_stats=1 -close_fd_mask=2 -artifact_prefix="$found/$name-" \
        "$found/$name" "$found/seeds/$name" >"$log" 2>&1 || { result="FAILED, see $log" && status=1; }
    progress=$(grep -E '^#[0-9]+.* cov: ' "$log" | tail -n 1 || true)
    printf '%-20s %12s %8s %8s %8s  %s\n' "$name" "$(field number_of_executed_units "$log")" \
        "$(field average_exec_per_sec "$log")" "$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' <<<"$progress")" \
        "$(find "$found/$name" -type f | wc -l)" "$result"
done

if [ "$lines" = yes ]; then
    command -v llvm-cov >/dev/null || fail "llvm-cov is missing: run tools/bootstrap --all"
    instrument=-fprofile-instr-generate,-fcoverage-mapping
    build "--per_file_copt=^(keyd|proto|base|web|browser-shim|broker)/.*@$instrument" --linkopt=-fprofile-instr-generate
    objects=() profiles=()
    for target in "${targets[@]}"; do
        name=${target##*:}
        LLVM_PROFILE_FILE=$found/$name.profraw "$(binary "$target")" -runs=0 "$found/$name" "$found/seeds/$name" \
            >>"$found/$name.log" 2>&1
        cp --force "$(binary "$target")" "$found/$name.bin"
        objects+=(--object "$found/$name.bin")
        profiles+=("$found/$name.profraw")
    done
    llvm-profdata merge --output="$found/all.profdata" "${profiles[@]}"
    llvm-cov report "${objects[@]:1}" --instr-profile="$found/all.profdata" --path-equivalence=/proc/self/cwd,"$root" |
        awk '/\.c / || /^TOTAL/ { printf "%-36s lines %6s missed %6s  %s\n", $1, $8, $9, $10 }'
fi
printf 'inputs and logs: %s\n' "$found"
exit "$status"
