#!/usr/bin/env bash
# test_cli.sh - the command line as a process: exit codes, what goes where, and that nothing is left behind.
#
# usage: test_cli.sh FLYOVER    prints TAP

set -uo pipefail
flyover=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
number=0

# ok NAME CONDITION... - one case, by the status of a command.
ok() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number $name"
    else
        echo "not ok $number $name"
        sed 's/^/# out: /' out
        sed 's/^/# err: /' err
    fi
}

# call CODE WORD... - calls flyover with its output in `out` and `err`; is its exit status CODE?
call() {
    local code=$1 status=0
    shift
    "$flyover" "$@" >out 2>err </dev/null || status=$?
    [[ $status -eq $code ]] || { echo "# exit status $status, not $code" && return 1; }
}

# The commands that need more than one call, as functions for `ok`.
from_standard_input() { "$flyover" validate - <good.yaml >out 2>err; }
from_two_files() {
    echo 'nodes: {more: {type: drop, inputs: [made]}}' >more.yaml
    call 0 validate good.yaml more.yaml
}
to_a_full_disk() {
    local status=0
    "$flyover" list >/dev/full 2>err || status=$?
    [[ $status -eq 74 ]]
}
completion_parses() { "$flyover" completion bash | bash -n; }
new_is_valid() { "$flyover" new generate/count/stdout >new.yaml && call 0 validate new.yaml; }
colourless() { ! grep -q $'\033' err; }
made() { [[ $(wc -l <out.txt) -eq 1000 && ! -e out.txt.part ]]; }

has() { grep -qF -- "$2" "$1"; }
empty() { [[ ! -s $1 ]]; }

cat >good.yaml <<'YAML'
pipeline: good
nodes:
  made: {type: generate, count: 1000}
  out: {type: file, inputs: [made], path: out.txt}
YAML
cat >bad.yaml <<'YAML'
pipeline: bad
nodes:
  made: {type: generate, cont: 1000}
  out: {type: file, inputs: [mad], path: out.txt}
YAML
cat >missing.yaml <<'YAML'
pipeline: missing
nodes:
  lines: {type: file, path: nope.txt}
  out: {type: drop, inputs: [lines]}
YAML

ok 'no command is a wrong call' call 64
ok 'an unknown command is a wrong call' call 64 rum
ok 'a missing operand is a wrong call' call 64 run
ok 'help goes to standard output' call 0 run --help
ok 'help says nothing on standard error' empty err

ok 'a bad pipeline is refused' call 78 run bad.yaml
ok 'its place is told' has err 'bad.yaml:3:26: error: unknown key'
ok 'all its errors are told' has err "bad.yaml:4:30: error: there is no node 'mad'"
ok 'with the line, a caret and a hint' has err "  hint: did you mean 'count'?"
ok 'nothing of it goes to standard output' empty out
ok 'and no file was made' test ! -e out.txt -a ! -e out.txt.part

ok 'validate refuses it as well' call 78 validate bad.yaml
ok 'JSON findings are for machines' call 78 validate --format json bad.yaml
ok 'they have line and column' has out '"column": 26'
ok 'findings on no terminal have no colours' colourless

ok 'a missing pipeline file' call 74 run nope.yaml
ok 'is told in one sentence' has err 'nope.yaml: error: cannot read it: No such file or directory'
ok 'a missing input file' call 74 run missing.yaml
ok 'is told with its place' has err 'missing.yaml:3:29: error: cannot read'
ok 'which a static check does not look at' call 0 validate --level static missing.yaml
ok 'cores that are no list are a wrong call' call 64 run --cores 1-0 good.yaml
ok 'a duration without a unit is a wrong call' call 64 run --duration 5 good.yaml
ok 'a wrong --set is told with its path' call 78 run --set nodes.made.cuont=5 good.yaml
ok 'and a hint' has err "hint: did you mean 'count'?"

ok 'a pipeline from standard input' from_standard_input
ok 'several files make one pipeline' from_two_files
ok 'all their nodes are in it' has out 'good: ok (3 nodes, 2 edges)'
ok 'a full disk is told' to_a_full_disk
ok 'as such' has err 'cannot write to standard output'
ok 'completion for bash is good bash' completion_parses
ok 'a new pipeline is valid' new_is_valid
ok 'a good pipeline runs' call 0 run good.yaml
ok 'into a file beside it' made
echo "1..$number"
