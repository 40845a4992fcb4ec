#include "agent/budget/budget.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/log.h"
#include "base/metrics.h"

namespace weir::agent::budget {
namespace {

std::string MiB(uint64_t bytes) { return fmt::format("{:.0f} MiB", static_cast<double>(bytes) / (1U << 20)); }

std::string_view NameOf(GivenUp what) { return kGivenUpDescriptions[static_cast<size_t>(what)].name; }

uint64_t Micros(uint64_t before, uint64_t now) { return now > before ? (now - before) / 1'000 : 0; }

}  // namespace

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  if (!(file >> all >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void Budget::OnInterval(model::AgentBatch& batch) {
  const Reading now = wiring_.read();
  SetGauge(Metric::agent_memory_bytes, now.memory_bytes);
  const bool first = !last_;
  const Usage usage = Measure(now);
  if (!limits_.any()) return;
  if (first) {
    batch.probes.push_back({"budget", "on", "nothing measured yet", ""});
    return;
  }
  if (const auto decision = ladder_.OnInterval(usage, wiring_.there())) Act(*decision, usage);
  SetGauge(Metric::agent_budget_given_up, ladder_.given_up().size());
  batch.probes.push_back(Probe(usage));
}

Usage Budget::Measure(const Reading& now) {
  Usage usage{.cores = 0, .memory_bytes = now.memory_bytes};
  if (last_ && now.at > last_->at) {
    const uint64_t threads = static_cast<uint64_t>(std::max<Nanos>(now.threads - last_->threads, 0));
    // Objects come and go with what is given up, and their programs' times with them.
    const bool grew = now.programs.nanoseconds >= last_->programs.nanoseconds;
    const uint64_t programs = grew ? now.programs.nanoseconds - last_->programs.nanoseconds : 0;
    programs_known_ = now.programs.runs > last_->programs.runs;
    usage.cores = static_cast<double>(threads + programs) / static_cast<double>(now.at - last_->at);
    Count(Metric::agent_cpu_microseconds,
          Micros(static_cast<uint64_t>(last_->threads), static_cast<uint64_t>(now.threads)));
    Count(Metric::agent_kernel_microseconds, programs / 1'000);
  }
  last_ = now;
  return usage;
}

void Budget::Act(const Ladder::Decision& decision, const Usage& usage) {
  const std::string_view name = NameOf(decision.what);
  if (decision.give_up) {
    const std::string cause = Cause(usage);
    restraint_.Set(decision.what, "given up to stay within the budget: " + cause);
    Count(Metric::agent_budget_changes);
    LogWarn("{} given up: {}; raise the budget, or see docs/budget.md for what to leave out instead", name, cause);
  } else {
    restraint_.Set(decision.what, "");
    Count(Metric::agent_budget_changes);
    LogInfo("{} observed again: {:.3f} of a core and {} used", name, usage.cores, MiB(usage.memory_bytes));
  }
  wiring_.restrain(restraint_);
#ifdef __GLIBC__
  if (decision.give_up && kGivenUpDescriptions[static_cast<size_t>(decision.what)].saves_memory) ::malloc_trim(0);
#endif
}

std::string Budget::Cause(const Usage& usage) const {
  std::string text;
  if (ladder_.over_cpu())
    text = fmt::format("{:.3f} of a core used, --cpu-budget is {:.3g}", usage.cores, limits_.cores);
  if (ladder_.over_memory()) {
    text += fmt::format("{}{} of memory used, --memory-budget is {}", text.empty() ? "" : "; ", MiB(usage.memory_bytes),
                        MiB(limits_.memory_bytes));
  }
  return text;
}

model::ProbeReport Budget::Probe(const Usage& usage) const {
  std::string used = fmt::format("{:.3f} of a core used", usage.cores);
  if (limits_.cores > 0) used += fmt::format(" of {:.3g}", limits_.cores);
  used += programs_known_ ? ", kernel programs included" : ", kernel programs unknown: kernel.bpf_stats_enabled is 0";
  used += fmt::format("; {} of memory", MiB(usage.memory_bytes));
  if (limits_.memory_bytes > 0) used += " of " + MiB(limits_.memory_bytes);
  if (ladder_.given_up().empty() && !ladder_.exhausted()) return {"budget", "on", used, ""};
  std::string names;
  for (const GivenUp what : ladder_.given_up()) names += (names.empty() ? "" : ", ") + std::string(NameOf(what));
  std::string reason = names.empty() ? "nothing can be given up" : "given up: " + names;
  if (ladder_.exhausted()) reason += "; still over the budget, and nothing is left that would help";
  return {"budget", "fallback", reason + "; " + used,
          "raise --cpu-budget or --memory-budget, or leave out what is not needed (docs/budget.md)"};
}

}  // namespace weir::agent::budget
