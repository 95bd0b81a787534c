/* generate.c - messages out of nothing: numbered, sized, keyed, at a rate or as fast as possible.
 *
 * Every message is a function of the seed and its sequence number, so one is sent again by making
 * it anew. Task t of n makes the numbers t, t + n, t + 2n...; the number is the root's id. Payloads
 * that are the same for all messages are written once; others are written into a slab that is
 * reused from poll to poll.
 */
#include "stages/stages.h"
#include "stages/text.h"
#include "stages/zipf.h"

#include <flyover/source.h>

enum {
    GENERATE_SLAB_BYTES = 256 << 10, /* of one poll's payloads: stays in a core's own cache */
    GENERATE_PARTS_MAX = 32,
    GENERATE_KEY_BYTES_MAX = 21, /* k and 20 digits */
    GENERATE_RANDOM_BYTES = 16,
    GENERATE_FILLER_BYTES = 100,
    GENERATE_FILLER = 'x',
};

enum generate_keys { GENERATE_NONE, GENERATE_SEQUENTIAL, GENERATE_UNIFORM, GENERATE_ZIPF };
enum generate_part_kind { PART_LITERAL, PART_SEQ, PART_KEY, PART_RANDOM };

struct generate_part {
    enum generate_part_kind kind;
    struct fly_string literal;
};

struct generate {
    uint64_t count;
    double rate;
    uint64_t size_bytes;
    struct fly_string payload;
    uint32_t keys; /* enum generate_keys */
    uint64_t distinct;
    double exponent;
    uint64_t seed;

    uint64_t next;            /* sequence number of the next message */
    uint64_t step;            /* from one of this task's messages to the next */
    uint64_t end;             /* no number at or above it */
    uint64_t first, start_ns; /* number `first` was due at start_ns; 0: not started */
    struct fly_zipf zipf;
    struct generate_part part[GENERATE_PARTS_MAX];
    uint32_t part_cnt;
    bool fixed; /* all messages are alike */
    uint32_t message_bytes_max;
    uint32_t slab_bytes;
    uint8_t *slab;
    struct fly_content same; /* the message, if fixed */
};

/* splitmix64: random numbers by index. */
static inline uint64_t random_at(uint64_t seed, uint64_t seq)
{
    uint64_t bits = seed + (seq + 1) * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

static uint64_t key_of(const struct generate *generate, uint64_t seq)
{
    uint64_t random = random_at(generate->seed ^ UINT64_C(0x6b6579), seq);
    switch ((enum generate_keys)generate->keys) {
    case GENERATE_UNIFORM:
        return (random >> 32) * generate->distinct >> 32;
    case GENERATE_ZIPF:
        return fly_zipf_draw(&generate->zipf, random);
    case GENERATE_SEQUENTIAL:
    case GENERATE_NONE:
    default:
        return seq % generate->distinct;
    }
}

static void add_random(struct fly_text *text, uint64_t random)
{
    static const char hex[] = "0123456789abcdef";
    char digits[GENERATE_RANDOM_BYTES];
    for (int i = 0; i < GENERATE_RANDOM_BYTES; i++, random <<= 4)
        digits[i] = hex[random >> 60];
    fly_text_add(text, digits, sizeof(digits));
}

static void add_key(struct fly_text *text, uint64_t key)
{
    fly_text_byte(text, 'k');
    fly_text_number(text, key);
}

/* Writes message `seq` to `at` (message_bytes_max of room): the key, then the payload. */
static struct fly_content make(const struct generate *generate, uint64_t seq, uint8_t *at)
{
    struct fly_text text = {.at = at, .max_bytes = generate->message_bytes_max};
    struct fly_content content = {.flags = FLY_MSG_STABLE};
    if (generate->keys != GENERATE_NONE) {
        add_key(&text, key_of(generate, seq));
        content.key = at;
        content.key_bytes = (uint32_t)text.bytes;
    }
    for (uint32_t i = 0; i < generate->part_cnt; i++) {
        const struct generate_part *part = &generate->part[i];
        switch (part->kind) {
        case PART_SEQ:
            fly_text_number(&text, seq);
            break;
        case PART_KEY:
            fly_text_add(&text, at, content.key_bytes);
            break;
        case PART_RANDOM:
            add_random(&text, random_at(generate->seed, seq));
            break;
        case PART_LITERAL:
        default:
            fly_text_add(&text, part->literal.text, part->literal.bytes);
        }
    }
    size_t bytes = text.bytes - content.key_bytes;
    if (bytes < generate->size_bytes) {
        memset(at + text.bytes, GENERATE_FILLER, generate->size_bytes - bytes);
        bytes = generate->size_bytes;
    }
    content.payload = at + content.key_bytes;
    content.payload_bytes = (uint32_t)bytes;
    return content;
}

/* What a part takes at most. */
static uint64_t part_bytes(const struct generate_part *part)
{
    static const uint32_t bytes[] = {[PART_SEQ] = 20,
                                     [PART_KEY] = GENERATE_KEY_BYTES_MAX,
                                     [PART_RANDOM] = GENERATE_RANDOM_BYTES};
    return part->kind == PART_LITERAL ? part->literal.bytes : bytes[part->kind];
}

/* The field in braces at `at`, or PART_LITERAL. */
static enum generate_part_kind field_at(const char *at, size_t left, uint32_t *bytes)
{
    static const struct {
        const char *text;
        enum generate_part_kind kind;
    } fields[] = {{"{seq}", PART_SEQ}, {"{key}", PART_KEY}, {"{random}", PART_RANDOM}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        size_t length = strlen(fields[i].text);
        if (left >= length && memcmp(at, fields[i].text, length) == 0) {
            *bytes = (uint32_t)length;
            return fields[i].kind;
        }
    }
    return PART_LITERAL;
}

/* 0, or -1: too many parts. */
static int parse_payload(struct generate *generate)
{
    const char *at = generate->payload.text, *end = at + generate->payload.bytes, *literal = at;
    while (at <= end) {
        uint32_t bytes = 0;
        enum generate_part_kind kind =
            at < end ? field_at(at, (size_t)(end - at), &bytes) : PART_LITERAL;
        if (kind == PART_LITERAL && at < end) {
            at++;
            continue;
        }
        if (generate->part_cnt + 2 > GENERATE_PARTS_MAX)
            return -1;
        if (at > literal)
            generate->part[generate->part_cnt++] =
                (struct generate_part){PART_LITERAL, {literal, (uint32_t)(at - literal)}};
        if (at == end)
            break;
        generate->part[generate->part_cnt++] = (struct generate_part){.kind = kind};
        at += bytes;
        literal = at;
    }
    return 0;
}

static bool is_fixed(const struct generate *generate)
{
    bool fixed = generate->keys == GENERATE_NONE;
    for (uint32_t i = 0; i < generate->part_cnt; i++)
        fixed = fixed && generate->part[i].kind == PART_LITERAL;
    return fixed;
}

static int generate_check(const void *self, struct fly_refusal *refusal)
{
    const struct generate *generate = self;
    if (generate->keys == GENERATE_ZIPF && generate->distinct > FLY_ZIPF_RANKS_MAX) {
        *refusal = (struct fly_refusal){"keys.distinct", "zipf keys go up to 16777216", ""};
        return -1;
    }
    if (generate->keys == GENERATE_NONE && generate->payload.bytes &&
        memmem(generate->payload.text, generate->payload.bytes, "{key}", 5)) {
        *refusal = (struct fly_refusal){"payload", "the payload has {key}, but there are no keys",
                                        "set keys.kind to sequential, uniform or zipf"};
        return -1;
    }
    return 0;
}

/* How large a message gets, and the memory to make it in. */
static int setup_message(struct fly_task *task, struct generate *generate)
{
    if (parse_payload(generate))
        return fly_task_refuse(task, "payload", "more fields than a payload can have (15)");
    if (generate->payload.bytes == 0 && generate->size_bytes == 0)
        generate->size_bytes = GENERATE_FILLER_BYTES;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < generate->part_cnt; i++)
        bytes += part_bytes(&generate->part[i]);
    bytes = bytes > generate->size_bytes ? bytes : generate->size_bytes;
    bytes += generate->keys == GENERATE_NONE ? 0 : GENERATE_KEY_BYTES_MAX;
    if (bytes > fly_max_message_bytes(task))
        return fly_task_refuse(task, generate->size_bytes ? "size" : "payload",
                               "the messages would be larger than max_message_bytes");
    generate->message_bytes_max = (uint32_t)bytes;
    generate->fixed = is_fixed(generate);
    generate->slab_bytes = generate->fixed || bytes * 2 > GENERATE_SLAB_BYTES ? (uint32_t)bytes * 2
                                                                              : GENERATE_SLAB_BYTES;
    generate->slab = fly_task_alloc(task, generate->slab_bytes);
    if (!generate->slab)
        return fly_task_refuse(task, NULL, "there is no memory for its messages");
    if (generate->fixed)
        generate->same = make(generate, 0, generate->slab);
    return 0;
}

static int setup_zipf(struct fly_task *task, struct generate *generate)
{
    uint32_t rank_cnt = (uint32_t)generate->distinct;
    void *memory = fly_task_alloc(task, fly_zipf_footprint(rank_cnt));
    if (!memory || fly_zipf_init(&generate->zipf, memory, rank_cnt, generate->exponent))
        return fly_task_refuse(task, "keys.distinct", "there is no memory for so many zipf keys");
    return 0;
}

static int generate_setup(struct fly_task *task, void *self)
{
    struct generate *generate = self;
    struct fly_place place = fly_task_place(task);
    generate->next = place.task_idx;
    generate->step = place.task_cnt;
    generate->end = generate->count ? generate->count : UINT64_MAX - place.task_cnt;
    if (generate->keys == GENERATE_ZIPF && setup_zipf(task, generate))
        return -1;
    return setup_message(task, generate);
}

static int generate_restore(struct fly_task *task, void *self, uint64_t position)
{
    struct generate *generate = self;
    (void)task;
    if (position > generate->next)
        generate->next = position;
    return 0;
}

/* The numbers below it are due by now. */
static uint64_t due_end(struct fly_task *task, struct generate *generate)
{
    if (generate->rate <= 0)
        return generate->end;
    uint64_t now_ns = fly_now_ns(task);
    if (generate->start_ns == 0) {
        generate->start_ns = now_ns;
        generate->first = generate->next;
    }
    double due = (double)(now_ns - generate->start_ns) * generate->rate * 1e-9;
    uint64_t due_at = generate->first + (uint64_t)due + 1;
    return due_at < generate->end ? due_at : generate->end;
}

static void wake_when_due(struct fly_task *task, const struct generate *generate)
{
    double due_ns = (double)(generate->next - generate->first) / generate->rate * 1e9;
    uint64_t now_ns = fly_now_ns(task) - generate->start_ns;
    fly_wake_in(task, due_ns > (double)now_ns ? (uint64_t)(due_ns - (double)now_ns) + 1 : 1);
}

static uint64_t emit_fixed(struct fly_task *task, const struct generate *generate, uint64_t end,
                           uint32_t budget)
{
    uint64_t seq = generate->next, step = generate->step;
    const struct fly_content same = generate->same;
    for (uint32_t i = 0; i < budget && seq < end; i++, seq += step)
        fly_emit_root(task, 0, seq, seq + step, same);
    return seq;
}

static uint64_t emit_made(struct fly_task *task, const struct generate *generate, uint64_t end,
                          uint32_t budget)
{
    uint64_t seq = generate->next, step = generate->step;
    uint32_t used = 0;
    for (uint32_t i = 0; i < budget && seq < end; i++, seq += step) {
        if (generate->slab_bytes - used < generate->message_bytes_max)
            break;
        struct fly_content content = make(generate, seq, generate->slab + used);
        used += content.key_bytes + content.payload_bytes;
        fly_emit_root(task, 0, seq, seq + step, content);
    }
    return seq;
}

static enum fly_polled generate_poll(struct fly_task *task, void *self, uint32_t budget)
{
    struct generate *generate = self;
    uint64_t end = due_end(task, generate);
    generate->next = generate->fixed ? emit_fixed(task, generate, end, budget)
                                     : emit_made(task, generate, end, budget);
    uint64_t done = generate->next / generate->step;
    fly_source_progress(
        task, done,
        generate->count ? (generate->count + generate->step - 1 - generate->next % generate->step) /
                              generate->step
                        : 0);
    if (generate->next >= generate->end)
        return FLY_POLL_DONE;
    if (generate->next < end)
        return FLY_POLL_MORE;
    wake_when_due(task, generate);
    return FLY_POLL_IDLE;
}

static void generate_replay(struct fly_task *task, void *self, uint64_t id,
                            struct fly_attempt attempt)
{
    struct generate *generate = self;
    fly_emit_again(task, 0, attempt,
                   generate->fixed ? generate->same : make(generate, id, generate->slab));
}

static const char *const generate_keys[] = {"none", "sequential", "uniform", "zipf", NULL};

#define GENERATE_AT(field) .at = offsetof(struct generate, field)

static const struct fly_param generate_params[] = {
    {.name = "count",
     .type = FLY_PARAM_UINT,
     GENERATE_AT(count),
     .preset = "0",
     .help = "How many messages; 0: without an end."},
    {.name = "rate",
     .type = FLY_PARAM_FLOAT,
     GENERATE_AT(rate),
     .preset = "0",
     .max = 1e10,
     .help = "Messages per second over all tasks, each at its own time however late others are; "
             "0: as fast as possible."},
    {.name = "size",
     .type = FLY_PARAM_SIZE,
     GENERATE_AT(size_bytes),
     .preset = "0",
     .max = 1u << 30,
     .help = "Bytes of a payload at least; 0: as long as `payload`, or 100 without one."},
    {.name = "payload",
     .type = FLY_PARAM_STRING,
     GENERATE_AT(payload),
     .help = "Text of a payload; {seq}, {key} and {random} are filled in."},
    {.name = "keys.kind",
     .type = FLY_PARAM_ENUM,
     GENERATE_AT(keys),
     .preset = "none",
     .choices = generate_keys,
     .help = "How keys follow each other: k0, k1 and so on, in turn or at random."},
    {.name = "keys.distinct",
     .type = FLY_PARAM_UINT,
     GENERATE_AT(distinct),
     .preset = "1000",
     .min = 1,
     .max = 4294967295,
     .help = "How many different keys there are."},
    {.name = "keys.exponent",
     .type = FLY_PARAM_FLOAT,
     GENERATE_AT(exponent),
     .preset = "1",
     .max = 10,
     .help = "How skewed zipf keys are; 0: not at all."},
    {.name = "seed",
     .type = FLY_PARAM_UINT,
     GENERATE_AT(seed),
     .preset = "1",
     .help = "Of all random choices; the same seed gives the same messages."},
    {0},
};

const struct fly_node fly_generate_node = {
    .name = "generate",
    .kind = FLY_SOURCE,
    .help = "Makes messages, as many as wanted, at a rate or as fast as possible.",
    .example = "load: {type: generate, count: 1000, payload: 'message {seq} of {key}', "
               "keys: {kind: zipf, distinct: 100}}",
    .params = generate_params,
    .self_bytes = sizeof(struct generate),
    .check = generate_check,
    .setup = generate_setup,
    .poll = generate_poll,
    .replay = generate_replay,
    .restore = generate_restore,
};
