# common.sh - what the scripts share; sourced, never run.
# shellcheck shell=bash

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() { # die CODE MESSAGE
    local code=$1
    shift
    say "error: $*"
    exit "$code"
}

# use_build_dir NAME MESON_OPTION... - build/NAME is configured with exactly these options.
use_build_dir() {
    local dir=$repo/build/$1 options="${*:2} CC=${CC:-}"
    shift
    if [[ -f $dir/build.ninja && -f $dir/options.used && $(<"$dir/options.used") == "$options" ]]; then
        return 0
    fi
    local wipe=()
    [[ ! -d $dir/meson-private ]] || wipe=(--wipe)
    meson setup "${wipe[@]}" "$dir" "$repo" "$@" && printf '%s' "$options" >"$dir/options.used"
}

# build NAME MESON_OPTION... [-- TARGET...] - configures build/NAME and builds it, or only the targets. Silent when that
# is quick and goes well; one line when it takes long; the tools' output when it fails. Scripts that want to build the
# same folder take turns.
build() {
    local name=$1 log=$repo/build/$1.log options=() note
    shift
    while [[ $# -gt 0 && $1 != -- ]]; do
        options+=("$1")
        shift
    done
    mkdir -p "$repo/build"
    # A read that times out is a sleep without a process, which would outlive its killed shell.
    (read -rt 2 <> <(:) || say "building build/$name ...") &
    note=$!
    if (flock 9 && use_build_dir "$name" "${options[@]}" && ninja -C "$repo/build/$name" "${@:2}") \
        9>"$repo/build/$name.lock" >"$log" 2>&1; then
        stop_note "$note"
        return 0
    fi
    stop_note "$note"
    say "building build/$name failed:"
    # From the first word of trouble, without the compiler's command line; all of a short log that has none.
    if grep -qE '^FAILED:|ERROR:' "$log"; then
        sed -nE '/^FAILED:|ERROR:/,$p' "$log" | grep -v ' -c \.\./' | head -n 40 >&2
    else
        tail -n 40 "$log" >&2
    fi
    return 1
}

# The builds that more than one script uses.
# shellcheck disable=SC2034
release_build=(release --buildtype=release -Db_lto=true)
# shellcheck disable=SC2034
test_build=(test --buildtype=debugoptimized -Dtest_hooks=true)

stop_note() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}
