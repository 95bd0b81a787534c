#include "stats/reason.h"

const char *fly_reason_name(uint32_t reason)
{
    static const char *const name[] = {
        [FLY_REASON_NONE] = "none",           [FLY_REASON_FAILED] = "failed",
        [FLY_REASON_TIMEOUT] = "timeout",     [FLY_REASON_TOO_LARGE] = "too_large",
        [FLY_REASON_CRASH] = "crash",         [FLY_REASON_STATE_FULL] = "state_full",
        [FLY_REASON_BAD_INPUT] = "bad_input", [FLY_REASON_IO] = "io",
        [FLY_REASON_LOST] = "lost",           [FLY_REASON_CORRUPT] = "corrupt",
        [FLY_REASON_UNSENT] = "unsent",
    };
    return reason < sizeof(name) / sizeof(name[0]) ? name[reason] : NULL;
}

const char *fly_reason_of_node(const struct fly_node *node, uint32_t reason)
{
    if (reason < FLY_REASON_NODE || !node->reasons)
        return NULL;
    for (uint32_t i = 0; node->reasons[i]; i++)
        if (i == reason - FLY_REASON_NODE)
            return node->reasons[i];
    return NULL;
}
