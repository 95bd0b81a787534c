#include "config/options.h"

static const char *const IDLE[] = {"adaptive", "spin", NULL};
static const char *const GROUPINGS[] = {"local", "shuffle", "key", "broadcast", "global", NULL};

#define TIB 1099511627776.0
/* Nobody waits longer: 20 days, well below half a turn of the clocks of 32 bits in ms that time out
 * and retry. */
#define LONGEST_NS 1728000e9
#define SHORTEST_NS 1e6

static const struct fly_param DELIVERY[] = {
    {.name = "ack_timeout",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct fly_delivery_options, ack_timeout_ns),
     .preset = "30s",
     .min = SHORTEST_NS,
     .max = LONGEST_NS,
     .help = "A message that is not done after this time has failed and is tried again."},
    {.name = "retry.attempts",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct fly_delivery_options, attempts),
     .preset = "3",
     .min = 1,
     .max = 1000,
     .help = "How often a message is tried in all, before it is a dead letter."},
    {.name = "retry.backoff",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct fly_delivery_options, backoff_ns),
     .preset = "100ms",
     .max = LONGEST_NS,
     .help = "The wait before the second try; it doubles with each further one."},
    {.name = "retry.backoff_max",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct fly_delivery_options, backoff_max_ns),
     .preset = "10s",
     .max = LONGEST_NS,
     .help = "The longest wait between two tries."},
    {.name = "max_in_flight",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct fly_delivery_options, max_in_flight),
     .min = 1,
     .max = 1 << 22,
     .help = "Messages per task that may be under way, rounded up to a power of two. Not given: "
             "16384 for sources, 1024 for stages."},
    {.name = "dead_letters",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct fly_delivery_options, dead_letters),
     .help = "The node that gets the messages whose last try failed. Not given: they are dropped "
             "and counted."},
    {.name = NULL},
};

#define MAX_MESSAGE_BYTES_MIN 64
#define MAX_MESSAGE_BYTES_MAX (1u << 30)

static const struct fly_param PLACEMENT[] = {
    {.name = "tasks",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct fly_node_options, tasks),
     .min = 1,
     .max = FLY_PLAN_WORKERS_MAX,
     .help = "On how many workers the node runs. Not given: what its type says, mostly all."},
    {.name = "cores",
     .type = FLY_PARAM_LIST,
     .at = offsetof(struct fly_node_options, cores),
     .help = "The cores whose workers run the node: numbers and ranges, like [0, 2-3]."},
    {.name = NULL},
};

static const struct fly_param RETENTION[] = {
    {.name = "retain_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_node_options, retain_bytes),
     .max = TIB,
     .help =
         "Memory per task for copies that retries and dead letters need. Not given: 0 where the "
         "node can send again by itself, else 64MiB for sources and 8MiB for stages."},
    {.name = NULL},
};

static const struct fly_param OUTPUTS[] = {
    {.name = "max_message_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_node_options, max_message_bytes),
     .min = MAX_MESSAGE_BYTES_MIN,
     .max = MAX_MESSAGE_BYTES_MAX,
     .help = "The largest message that the edges from this node carry. Not given: the pipeline's."},
    {.name = "frames",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct fly_node_options, frames),
     .min = 2,
     .max = 1 << 20,
     .help = "Frames per edge and sending worker. Not given: as the plan works out."},
    {.name = NULL},
};

static const struct fly_param HOLDING[] = {
    {.name = "hold.messages",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct fly_node_options, hold_messages),
     .min = 1,
     .max = 1 << 24,
     .help = "How many messages a task can hold. Not given: 4096."},
    {.name = "hold.bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_node_options, hold_bytes),
     .min = 4096,
     .max = TIB,
     .help = "Memory per task for what it holds. Not given: 4MiB."},
    {.name = NULL},
};

static const struct fly_param STATE[] = {
    {.name = "state_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_node_options, state_bytes),
     .min = 4096,
     .max = TIB,
     .help = "Memory per task for what it keeps by key, or for its table. Not given: 64MiB."},
    {.name = NULL},
};

static const struct fly_param POSITION[] = {
    {.name = "state",
     .type = FLY_PARAM_PATH,
     .at = offsetof(struct fly_node_options, state),
     .help =
         "The file in which the source keeps its position, to go on from there after a crash or "
         "at the next start."},
    {.name = NULL},
};

static const struct fly_param PIPELINE[] = {
    {.name = "pipeline",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct fly_pipeline_options, name),
     .required = true,
     .help = "The pipeline's name: a-z, 0-9, _ and -."},
    {.name = "plugins",
     .type = FLY_PARAM_PATHS,
     .at = offsetof(struct fly_pipeline_options, plugins),
     .help = "Shared objects with further node types."},
    {.name = "max_message_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_pipeline_options, max_message_bytes),
     .preset = "1MiB",
     .min = MAX_MESSAGE_BYTES_MIN,
     .max = MAX_MESSAGE_BYTES_MAX,
     .help = "The largest message (payload, key and metadata) that an edge carries."},
    {.name = "frame_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_pipeline_options, frame_bytes),
     .preset = "8KiB",
     .min = 1024,
     .max = 1 << 20,
     .help = "Payload of a frame: messages travel between workers in these."},
    {.name = "flush",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct fly_pipeline_options, flush_ns),
     .preset = "1ms",
     .min = 1000,
     .max = 10e9,
     .help =
         "A frame that is not full leaves at this age; at once when there is nothing else to do."},
    {.name = "idle",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct fly_pipeline_options, idle),
     .preset = "adaptive",
     .choices = IDLE,
     .help = "What a worker without work does: spin a little and then sleep, or spin for ever."},
    {.name = "drain_timeout",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct fly_pipeline_options, drain_timeout_ns),
     .preset = "30s",
     .max = LONGEST_NS,
     .help = "How long a stop waits for messages that are under way."},
    {.name = "state",
     .type = FLY_PARAM_PATH,
     .at = offsetof(struct fly_pipeline_options, state),
     .help = "A folder in which all sources without a `state` of their own keep their positions."},
    {.name = NULL},
};

static const struct fly_param INPUT[] = {
    {.name = "from",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct fly_input_options, from),
     .required = true,
     .help = "The node, or NODE.PORT, whose messages come in."},
    {.name = "grouping",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct fly_input_options, grouping),
     .preset = "local",
     .choices = GROUPINGS,
     .help =
         "Which task gets a message: the one on the same worker, a random one, the one that owns "
         "the key, each a copy, or always the first."},
    {.name = "group",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct fly_input_options, group),
     .help = "Nodes with the same group share the messages of an output; else each gets a copy."},
    {.name = "max_message_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct fly_input_options, max_message_bytes),
     .min = MAX_MESSAGE_BYTES_MIN,
     .max = MAX_MESSAGE_BYTES_MAX,
     .help = "The largest message that this edge carries. Not given: the sending node's."},
    {.name = "frames",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct fly_input_options, frames),
     .min = 2,
     .max = 1 << 20,
     .help = "Frames of this edge per sending worker. Not given: the sending node's."},
    {.name = NULL},
};

static bool is_any(const struct fly_node *type)
{
    (void)type;
    return true;
}

static bool is_source(const struct fly_node *type)
{
    return type->kind == FLY_SOURCE;
}

static bool is_sender(const struct fly_node *type)
{
    return type->kind != FLY_SINK;
}

static bool is_holder(const struct fly_node *type)
{
    return type->holds;
}

static bool has_state(const struct fly_node *type)
{
    return type->keyed_state || type->state;
}

static const struct fly_option_group GROUPS[] = {
    {"placement", "all nodes", PLACEMENT, 0, is_any},
    {"delivery", "sources and stages", DELIVERY, offsetof(struct fly_node_options, delivery),
     is_sender},
    {"retention", "sources and stages", RETENTION, 0, is_sender},
    {"outputs", "sources and stages", OUTPUTS, 0, is_sender},
    {"holding", "nodes that hold messages", HOLDING, 0, is_holder},
    {"state", "nodes with state", STATE, 0, has_state},
    {"position", "sources", POSITION, 0, is_source},
    {.title = NULL},
};

const struct fly_option_group *fly_option_groups(void)
{
    return GROUPS;
}

const struct fly_param *fly_option_pipeline(void)
{
    return PIPELINE;
}

const struct fly_param *fly_option_delivery(void)
{
    return DELIVERY;
}

const struct fly_param *fly_option_input(void)
{
    return INPUT;
}
