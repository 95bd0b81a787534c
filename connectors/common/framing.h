/* framing.h - cuts a stream of bytes into records, wherever the pieces of it end.
 *
 * Idea       The caller shows a piece; what of an unfinished record it must show again, in one
 *            piece with what follows, is never longer than the limit. A record over the limit is
 *            walked through without being kept: only its first bytes and its length remain.
 * Owner      One thread.
 * Memory     The struct; records are ranges of the piece that was shown.
 * Cost       One memchr per line; nothing per byte for the other framings.
 * When full  Does not apply.
 * See also   tests/unit/connectors/common/test_framing.c, which checks it against a naive reader
 */
#ifndef FLY_CONNECTORS_COMMON_FRAMING_H
#define FLY_CONNECTORS_COMMON_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

enum fly_framing_kind {
    FLY_FRAMING_NEWLINE, /* ends with \n, which is not part of it; the last one may lack it */
    FLY_FRAMING_LENGTH_PREFIXED, /* after its length: 4 bytes, big-endian */
    FLY_FRAMING_WHOLE_FILE,      /* record_bytes is the file's size */
    FLY_FRAMING_FIXED,           /* record_bytes each */
};

enum {
    FLY_FRAMING_HEAD_BYTES = 4096, /* what is kept of a record over the limit */
    FLY_FRAMING_PREFIX_BYTES = 4,
    FLY_FRAMING_CARRY_BYTES = 8192, /* over the limit itself: what may have to be shown again */
};

struct fly_framing {
    enum fly_framing_kind kind;
    uint32_t max_bytes; /* of a record */
    uint64_t record_bytes;

    bool skipping;          /* within a record over the limit */
    uint64_t skipped_bytes; /* of it, with its prefix */
    uint64_t skip_bytes;    /* of it still to come; newline: unknown */
    uint64_t total_bytes;   /* its length, where known */
    uint32_t head_bytes;
    uint8_t head[FLY_FRAMING_HEAD_BYTES];
};

enum fly_framed {
    FLY_FRAMED_RECORD,
    FLY_FRAMED_DEAD, /* over the limit, or cut off by the end: `reason` says which */
    FLY_FRAMED_MORE, /* nothing complete in the rest: show it again with what follows */
};

struct fly_record {
    const uint8_t *at;
    uint32_t bytes;          /* DEAD: as much as there is, FLY_FRAMING_HEAD_BYTES at most */
    uint32_t reason;         /* DEAD */
    uint64_t total_bytes;    /* the record's true length */
    uint64_t span_bytes;     /* in the stream, with prefix or newline, from its beginning */
    uint64_t consumed_bytes; /* of this piece; set with every result */
};

/* The next record in [at, end). `last`: nothing follows; then MORE means that nothing is left. */
enum fly_framed fly_framing_next(struct fly_framing *framing, const uint8_t *at, const uint8_t *end,
                                 bool last, struct fly_record *record);

#endif
