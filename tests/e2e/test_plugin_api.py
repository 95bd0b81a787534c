#!/usr/bin/env python3
"""Plugins of outsiders: installed headers and programs, calls that work, and misuse that is named."""

import os
import subprocess

from flyover_run import CONFIG, FAILED, REPO, eq, has, main, test

# One stage whose parameter says what it does.
STAGE = r"""
#include <flyover/stage.h>
#include <pthread.h>
#include <string.h>

struct own { uint32_t act; uint64_t limit; double factor; bool flag; struct fly_string text; uint32_t calls;
             struct fly_held held; struct fly_task *task; const struct fly_msg *old; struct fly_msg copy; };
static const char *const acts[] = {
    "count_calls", "hold_and_ack", "hold_and_fail", "detached", "echo_params",
    "emit_in_reserve", "forward_in_reserve", "return_in_reserve", "handle_twice", "handle_unknown", "other_thread",
    "commit_too_much", "commit_nothing", "no_such_port", "join_nobody", "own_root_without_tick", "refuse", NULL};
enum { COUNT_CALLS, HOLD_ACK, HOLD_FAIL, DETACHED, ECHO, EMIT_RES, FORWARD_RES, RETURN_RES, TWICE, UNKNOWN, THREAD,
       TOO_MUCH, NOTHING, PORT, NOBODY, OWN_ROOT, REFUSE };

static struct fly_content text(const char *at)
{
    return (struct fly_content){.payload = at, .payload_bytes = (uint32_t)strlen(at)};
}

static void *from_thread(void *arg)
{
    struct own *own = arg;
    fly_emit(own->task, 0, NULL, text("x"));
    return NULL;
}

static int setup(struct fly_task *task, void *self)
{
    struct own *own = self;
    if (own->act == REFUSE)
        return fly_task_refuse(task, "act", "this plugin does not feel like it");
    if (own->act == COUNT_CALLS || own->act == HOLD_ACK || own->act == HOLD_FAIL)
        fly_tick_every(task, 5000000);
    return 0;
}

static void one(struct fly_task *task, struct own *own, const struct fly_msg *msg)
{
    pthread_t thread;
    char line[200];
    struct fly_held none = {12345};
    switch (own->act) {
    case COUNT_CALLS: own->calls++; return;
    case HOLD_ACK: case HOLD_FAIL: own->held = fly_hold(task, msg, FLY_HOLD_MESSAGE); return;
    case DETACHED: fly_emit_detached(task, 0, text("detached")); return;
    case ECHO:
        snprintf(line, sizeof line, "%llu %.2f %d %.*s", (unsigned long long)own->limit, own->factor, own->flag,
                 (int)own->text.bytes, own->text.text);
        fly_emit(task, 0, msg, text(line));
        return;
    case EMIT_RES: fly_reserve(task, 10); fly_emit(task, 0, msg, text("x")); return;
    case FORWARD_RES: fly_reserve(task, 10); fly_forward(task, 0, msg); fly_commit(task, 0, msg, text("x")); return;
    case RETURN_RES: fly_reserve(task, 10); return;
    case TWICE: own->held = fly_hold(task, msg, FLY_HOLD_MESSAGE); fly_ack_held(task, own->held);
        fly_ack_held(task, own->held); return;
    case UNKNOWN: fly_ack_held(task, none); return;
    case THREAD: own->task = task; pthread_create(&thread, NULL, from_thread, own); pthread_join(thread, NULL); return;
    case TOO_MUCH: fly_reserve(task, 1); fly_commit(task, 0, msg, text("more than one")); return;
    case NOTHING: fly_commit(task, 0, msg, text("x")); return;
    case PORT: fly_emit(task, 77, msg, text("x")); return;
    case NOBODY: fly_emit_joined(task, 0, NULL, 0, text("x")); return;
    }
}

static void process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t i = 0; i < batch->cnt; i++)
        one(task, self, &batch->msg[i]);
}

static void tick(struct fly_task *task, void *self)
{
    struct own *own = self;
    if (own->held.handle && own->act == HOLD_ACK)
        fly_ack_held(task, own->held);
    if (own->held.handle && own->act == HOLD_FAIL)
        fly_fail_held(task, own->held, FLY_REASON_NODE);
    own->held.handle = 0;
}

static void finish(struct fly_task *task, void *self)
{
    struct own *own = self;
    char line[64];
    if (own->act != COUNT_CALLS)
        return;
    snprintf(line, sizeof line, "%u messages", own->calls);
    fly_emit(task, 0, NULL, text(line));
}

#define AT(field) .at = offsetof(struct own, field)
static const struct fly_param params[] = {
    {.name = "act", .type = FLY_PARAM_ENUM, AT(act), .required = true, .choices = acts, .help = "What to do."},
    {.name = "limit", .type = FLY_PARAM_SIZE, AT(limit), .preset = "3kB", .help = "A size.", .max = 1e9},
    {.name = "factor", .type = FLY_PARAM_FLOAT, AT(factor), .preset = "0.5", .help = "A number.", .max = 10},
    {.name = "flag", .type = FLY_PARAM_BOOL, AT(flag), .preset = "true", .help = "A choice."},
    {.name = "text", .type = FLY_PARAM_STRING, AT(text), .preset = "preset", .help = "A text."},
    {0},
};
static const char *const reasons[] = {"own_reason", NULL};
static const struct fly_node actor = {
    .name = "actor", .kind = FLY_STAGE, .holds = true, .tasks_preset = 1, .help = "Does as told.",
    .params = params, .reasons = reasons, .self_bytes = sizeof(struct own),
    .setup = setup, .process = process, .tick = tick, .finish = finish};
static const struct fly_node *const nodes[] = {&actor, NULL};
const struct fly_plugin fly_plugin = {FLY_PLUGIN_ABI, "actor", "1.0", nodes};
"""


def act(place, what, more="", code=0, lines="one\ntwo\n"):
    """Runs the actor stage over lines; returns the Result."""
    if not (place / "actor.so").exists():
        place.write("actor.c", STAGE.replace("#include <string.h>", "#include <string.h>\n#include <stdio.h>\n#include <stddef.h>"))
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-shared", "-fPIC", "-I", REPO / "include", "-o", place / "actor.so",
                        place / "actor.c", "-pthread"], check=True)
    place.write("in.txt", lines)
    return place.run(f"""
pipeline: outside
plugins: [actor.so]
retry: {{attempts: 1}}
nodes:
  lines: {{type: file, path: in.txt}}
  mine:  {{type: actor, inputs: [lines], act: {what}{more}}}
  out:   {{type: file, inputs: [mine], path: out.txt}}
""", "--cores", "0", code=code, timeout=20)


@test
def a_stage_keeps_memory_and_emits_at_the_end(place):
    result = act(place, "count_calls", lines="x\n" * 5000)
    eq(place.lines("out.txt"), ["5000 messages"])
    eq(result.summary["stages"]["mine"]["acked"], 1)


@test
def a_held_message_is_acked_or_failed_later(place):
    eq(act(place, "hold_and_ack", lines="one\n").source()["acked"], 1)
    eq(act(place, "hold_and_fail", lines="one\n").source()["dropped_by"], {"own_reason": 1})


@test
def a_detached_message_is_in_the_ledger(place):
    result = act(place, "detached")
    eq(result.summary["stages"]["mine"]["in"], 2)
    eq(place.lines("out.txt"), ["detached"] * 2)


@test
def typed_parameters(place):
    act(place, "echo_params", lines="x\n")
    eq(place.lines("out.txt"), ["3000 0.50 1 preset"])
    act(place, "echo_params", ", limit: 2KiB, factor: 7, flag: false, text: 'a: b'", lines="x\n")
    eq(place.lines("out.txt"), ["2048 7.00 0 a: b"])
    for more, said in ((", limit: 2GB", "limit"), (", factor: eleven", "must be a number"), (", flag: maybe", "flag"),
                       (", txt: x", "did you mean 'text'?")):
        has(act(place, "echo_params", more, code=CONFIG).err, said)


@test
def a_setup_that_refuses(place):
    result = act(place, "refuse", code=CONFIG)
    has(result.err, "node 'mine'", "this plugin does not feel like it")


@test
def misuse_is_named(place):
    said = {
        "emit_in_reserve": "fly_emit: called between fly_reserve and fly_commit",
        "forward_in_reserve": "between fly_reserve and fly_commit",
        "return_in_reserve": "process: returned between fly_reserve and fly_commit",
        "handle_twice": "fly_ack_held: a handle that is not held",
        "handle_unknown": "fly_ack_held: a handle that is not held",
        "other_thread": "fly_emit: called from a thread that is not the task's worker",
        "commit_too_much": "fly_commit: more bytes than were reserved",
        "commit_nothing": "fly_commit: nothing was reserved",
        "no_such_port": "fly_emit: no such port",
        "join_nobody": "fly_emit_joined: no parents",
    }
    wrong = []
    for what, message in said.items():
        result = act(place, what, code=None, lines="one\n")
        if result.code != FAILED or f"flyover-dataplane: node 'mine' (type actor): " not in result.err or \
                message not in result.err:
            wrong.append(f"{what}: exit code {result.code}, {result.err}")
    eq(wrong, [])


@test
def installed_programs_work(place):
    """meson install into a folder: programs, pages, headers, and a run with the installed pair."""
    build = os.environ["FLYOVER_BUILD"]
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(place / "root")})
    found = {file.relative_to(place / "root").as_posix() for file in (place / "root").rglob("*") if file.is_file()}
    for name in ("bin/flyover", "libexec/flyover/flyover-dataplane", "share/man/man1/flyover.1", "include/flyover/plugin.h",
                 "flyover.pc", "bash-completion/completions/flyover", "examples/wordcount.yaml", "examples/plugins/Makefile"):
        eq(any(file.endswith(name) for file in found), True, name)
    place.write("in.txt", "a b\n")
    file = place.pipeline("  lines: {type: file, path: in.txt}\n  w: {type: split, inputs: [lines]}\n"
                          "  out: {type: file, inputs: [w], path: out.txt}\n")
    program = next(file for file in found if file.endswith("bin/flyover"))
    environment = {key: value for key, value in os.environ.items() if key != "FLYOVER_DATAPLANE"}
    subprocess.run([place / "root" / program, "run", file], cwd=place.path, check=True, env=environment, timeout=30)
    eq(place.lines("out.txt"), ["a", "b"])


@test
def headers_compile_alone(place):
    for header in sorted((REPO / "include/flyover").glob("*.h")):
        for name, command in (("x.c", ["cc", "-std=c11"]), ("x.cc", ["c++", "-std=c++17"])):
            place.write(name, f"#include <flyover/{header.name}>\n")
            subprocess.run([*command, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", REPO / "include",
                            place / name], check=True)


if __name__ == "__main__":
    main()
