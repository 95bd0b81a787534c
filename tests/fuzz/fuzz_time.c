/* fuzz_time.c - a time that is read, written and read again is the same time.
 *
 * Input: a byte that chooses the format, and what may be a time.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stages/event_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t written[64];
    struct fly_text text = {.at = written, .max_bytes = sizeof(written)};
    int64_t time_ns, again_ns;
    if (!bytes || bytes > UINT32_MAX)
        return 0;
    enum fly_time_format format = (enum fly_time_format)(data[0] % 5);
    uint8_t *copy = malloc(bytes - 1 ? bytes - 1 : 1); /* AddressSanitizer sees a step outside */
    FLY_CHECK(copy, "no memory");
    memcpy(copy, data + 1, bytes - 1);
    if (fly_time_parse(format, copy, (uint32_t)bytes - 1, &time_ns)) {
        fly_time_write(&text, format, time_ns);
        FLY_CHECK(fly_text_fits(&text), "a time of %zu bytes", text.bytes);
        bool quoted = format == FLY_TIME_RFC3339;
        FLY_CHECK(fly_time_parse(format, written + quoted, (uint32_t)text.bytes - 2U * quoted,
                                 &again_ns) &&
                      again_ns == time_ns,
                  "another time");
    }
    free(copy);
    return 0;
}
