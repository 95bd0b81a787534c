#!/bin/sh
# The example plugins, built outside the tree against what `meson install` put in place, and run.
# usage: test_plugins.sh FLYOVER BUILD_ROOT SOURCE_ROOT
set -u
flyover=$1 build=$2 source=$3
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
tests=0

# ok NAME COMMAND...: one line of TAP.
ok() {
    name=$1
    shift
    tests=$((tests + 1))
    if "$@" >"$place/log" 2>&1; then
        echo "ok $tests - $name"
    else
        echo "not ok $tests - $name"
        sed 's/^/# /' "$place/log"
    fi
}

install_headers() {
    DESTDIR=$place/installed meson install -C "$build" --no-rebuild --quiet
}

build_plugins() {
    config=$(dirname "$(find "$place/installed" -name flyover.pc)") &&
        cp -r "$source/examples/plugins" "$place/plugins" &&
        make -C "$place/plugins" clean &&
        PKG_CONFIG_SYSROOT_DIR=$place/installed PKG_CONFIG_PATH=$config \
            make -C "$place/plugins" CFLAGS='-Wall -Wextra -Wpedantic -Werror'
}

# 20 messages "tick N": "tick" and 20 numbers.
run_them() {
    (cd "$place/plugins" && "$flyover" run plugins.yaml) &&
        test "$(cat "$place/plugins/tally.txt")" = "21 messages, 34 bytes"
}

refuses_a_parameter_of_a_plugin() {
    status=0
    "$flyover" validate --set nodes.ticks.evry=1ms "$place/plugins/plugins.yaml" 2>"$place/err" || status=$?
    test "$status" = 78 && grep -q "did you mean 'every'" "$place/err"
}

is_valid() {
    "$flyover" validate "$place/plugins/plugins.yaml"
}

ok "headers are installed" install_headers
ok "plugins build outside the tree" build_plugins
ok "a pipeline of plugins runs" run_them
ok "the pipeline is valid" is_valid
ok "a wrong parameter of a plugin is refused" refuses_a_parameter_of_a_plugin
echo "1..$tests"
