#include "connectors/builtin.h"

#include "connectors/file/file.h"
#include "connectors/stdio/stdio_nodes.h"
#include "stages/stages.h"

static const struct fly_node *const builtin_nodes[] = {
    /* sources */
    &fly_file_source_node,
    &fly_generate_node,
    &fly_stdin_node,
    /* stages */
    &fly_batch_node,
    &fly_count_node,
    &fly_delay_node,
    &fly_filter_node,
    &fly_identity_node,
    &fly_inject_fault_node,
    &fly_lookup_node,
    &fly_map_node,
    &fly_parse_json_node,
    &fly_route_node,
    &fly_select_node,
    &fly_split_node,
    &fly_throttle_node,
    &fly_timestamps_node,
    &fly_window_node,
    /* sinks */
    &fly_drop_node,
    &fly_file_sink_node,
    &fly_stdout_node,
    NULL,
};

const struct fly_node *const *fly_builtin_nodes(void)
{
    return builtin_nodes;
}
