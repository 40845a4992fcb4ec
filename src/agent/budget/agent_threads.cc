#include "agent/budget/agent_threads.h"

#include <pthread.h>

#include <ctime>
#include <mutex>
#include <unordered_map>

namespace weir::agent::budget {
namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<pthread_t, clockid_t> running;
  Nanos ended = 0;  // what those that are gone have used
};

Registry& TheRegistry() {
  static Registry registry;
  return registry;
}

Nanos ReadClock(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<Nanos>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// Leaves the registry with its thread, whose clock is gone then.
class Membership {
 public:
  Membership() {
    clockid_t clock{};
    if (pthread_getcpuclockid(pthread_self(), &clock) != 0) return;
    const std::lock_guard lock(TheRegistry().mutex);
    TheRegistry().running.emplace(pthread_self(), clock);
  }
  ~Membership() {
    const std::lock_guard lock(TheRegistry().mutex);
    TheRegistry().ended += ReadClock(CLOCK_THREAD_CPUTIME_ID);
    TheRegistry().running.erase(pthread_self());
  }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
};

}  // namespace

void CountThisThread() {
  (void)TheRegistry();  // made before, and so destroyed after, what refers to it
  static thread_local const Membership kMembership;
}

Nanos CpuOfAgentThreads() {
  const std::lock_guard lock(TheRegistry().mutex);
  Nanos sum = TheRegistry().ended;
  for (const auto& [thread, clock] : TheRegistry().running) sum += ReadClock(clock);
  return sum;
}

}  // namespace weir::agent::budget
