// What an agent gives up to stay within its budget, in this order. Births and deaths of TCP connections, and with them
// the counts and the payload of every connection that ends, are not in the list: they are never given up.
// docs/budget.md says what each costs and what is missing without it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::agent {

enum class GivenUp : uint8_t {
  kRequests,   // HTTP turns and TLS server names: programs per segment and per write
  kDatagrams,  // UDP and DNS: programs per packet
  kArrivals,   // late arrivals: a program per packet that arrives where something was lost
  kRates,      // the 10 ms traffic of interfaces
  kSnapshots,  // open sockets are read every fifth interval only
  kNewFlows,   // flows not met yet fold into the overflow flow
};
inline constexpr size_t kGivenUps = 6;

struct GivenUpDescription {
  std::string_view name;   // for people
  bool saves_cpu = false;  // which budget it helps to keep
  bool saves_memory = false;
};
inline constexpr std::array<GivenUpDescription, kGivenUps> kGivenUpDescriptions = {{
    {"requests", true, true},
    {"UDP and DNS", true, true},
    {"late arrivals", true, false},
    {"10 ms rates", true, true},
    {"four of five snapshots", true, false},
    {"new flows", false, true},
}};

using GivenUpMask = uint32_t;
constexpr GivenUpMask MaskOf(GivenUp what) { return 1U << static_cast<uint32_t>(what); }
inline constexpr GivenUpMask kAllGivenUps = (1U << kGivenUps) - 1;

// What is given up now, and why: sentences for probes, "" = it is not.
class Restraint {
 public:
  bool Has(GivenUp what) const { return !Why(what).empty(); }
  const std::string& Why(GivenUp what) const { return why_[static_cast<size_t>(what)]; }
  void Set(GivenUp what, std::string why) { why_[static_cast<size_t>(what)] = std::move(why); }
  GivenUpMask mask() const {
    GivenUpMask mask = 0;
    for (size_t i = 0; i < kGivenUps; ++i) mask |= why_[i].empty() ? 0 : 1U << i;
    return mask;
  }

 private:
  std::array<std::string, kGivenUps> why_;
};

}  // namespace weir::agent
