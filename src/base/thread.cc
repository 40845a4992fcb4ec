#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

namespace weir {

void NameThisThread(const char* name) { pthread_setname_np(pthread_self(), name); }

void WakeThisThreadLoosely() {
  constexpr unsigned long kSlackNs = 4'000'000;  // a tick at 250 Hz
  ::prctl(PR_SET_TIMERSLACK, kSlackNs);
}

void LetOthersRun() { ::sched_yield(); }

}  // namespace weir
