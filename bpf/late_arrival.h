/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of a segment that came after later ones: sent again, because it was lost, or overtaken on the way. Pure: the
 * caller reads segments, clock and round trip.
 */
#ifndef WEIR_BPF_LATE_ARRIVAL_H
#define WEIR_BPF_LATE_ARRIVAL_H

#include "abi.h"

enum weir_late {
	WEIR_LATE_UNKNOWN = 0,
	WEIR_LATE_SENT_AGAIN = 1,
	WEIR_LATE_OVERTAKEN = 2,
};

/* When the other end sent a segment, by its own clock: TSval (RFC 7323, 3.2), in ticks of a millisecond or longer. */
struct weir_stamp {
	weir_u32 value;
	weir_u32 known;
};

#define WEIR_RTT_UNKNOWN (~0U)
#define WEIR_STAMP_OFFSET 20	/* of the option behind two bytes of padding, in the TCP header */
#define WEIR_STAMP_END 32

/*
 * Shorter round trips than this and waits for a processor are alike, and a tick of the other end's clock has room for a
 * round trip: then time does not tell.
 */
#define WEIR_TELLING_RTT_US 4000

/* Of a TCP header of WEIR_STAMP_END bytes at least, if the option stands where senders put it (RFC 7323, appendix A). */
static inline struct weir_stamp weir_stamp_of(const weir_u8 *tcp)
{
	struct weir_stamp stamp = {0, 0};

	if (tcp[20] != 1 || tcp[21] != 1 || tcp[22] != 8 || tcp[23] != 10)
		return stamp;
	for (int i = 24; i < 28; i++)
		stamp.value = stamp.value << 8 | tcp[i];
	stamp.known = 1;
	return stamp;
}

/*
 * `opened` is the stamp of the segment behind the hole, `late` that of the one that fills it, after `age_ns`. What is sent
 * again is sent after its successor, and comes a round trip after the hole opened: nobody sends again what nobody misses.
 */
static inline enum weir_late weir_judge_late(struct weir_stamp opened, struct weir_stamp late, weir_u64 age_ns,
					     weir_u32 min_rtt_us)
{
	if (opened.known && late.known && opened.value != late.value)
		return late.value - opened.value < 1U << 31 ? WEIR_LATE_SENT_AGAIN : WEIR_LATE_OVERTAKEN;
	if (min_rtt_us == WEIR_RTT_UNKNOWN || min_rtt_us < WEIR_TELLING_RTT_US)
		return WEIR_LATE_UNKNOWN;
	return age_ns < min_rtt_us * 500ULL ? WEIR_LATE_OVERTAKEN : WEIR_LATE_SENT_AGAIN;
}

#endif /* WEIR_BPF_LATE_ARRIVAL_H */
