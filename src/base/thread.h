// What a thread tells the kernel about itself.
#pragma once

namespace weir {

// At most 15 bytes of it are kept.
void NameThisThread(const char* name);

// From now on timed waits of the calling thread may last 4 ms longer (prctl(2), PR_SET_TIMERSLACK): the kernel wakes it
// together with others, or at a tick, in the place of a timer and a wake-up of its own. For those that wait long.
void WakeThisThreadLoosely();

// Between two pieces of work: threads that wait for this processor go first. Costs a microsecond where nobody waits.
void LetOthersRun();

}  // namespace weir
