// What the sources of node signals say of themselves, for the agent's probe report. Thread: one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/side_report.h"

namespace weir::agent::node {

// What probes say where the agent's network namespace is not the machine's.
inline constexpr std::string_view kOwnNetworkOnly =
    "the agent has a network namespace of its own: this is what its container has, not the machine";
inline constexpr std::string_view kOwnNetworkHint =
    "start it in the machine's network namespace (--network host, hostNetwork: true)";

class ProbeList {
 public:
  void On(std::string_view name, std::string_view note = "") { Set(name, "on", note, ""); }
  // This node does not have it, or it was switched off.
  void Off(std::string_view name, std::string_view reason) { Set(name, "off", reason, ""); }
  // It tells of a part only, such as the agent's own container.
  void Fallback(std::string_view name, std::string_view reason, std::string_view hint) {
    Set(name, "fallback", reason, hint);
  }
  // It should work and does not.
  void Failed(std::string_view name, const Status& status) {
    const bool denied = status.code() == Code::kDenied;
    Set(name, "failed", status.message(), denied ? "run the agent as root" : "see the agent's log");
  }
  // kNotFound and kUnsupported are absence, all else is failure.
  void Judge(std::string_view name, const Status& status) {
    if (status.ok()) return On(name);
    const bool absent = status.code() == Code::kNotFound || status.code() == Code::kUnsupported;
    absent ? Off(name, status.message()) : Failed(name, status);
  }

  std::vector<model::ProbeReport> reports() const {
    std::vector<model::ProbeReport> list;
    for (const auto& [name, report] : reports_) list.push_back(report);
    return list;
  }

 private:
  void Set(std::string_view name, std::string_view state, std::string_view reason, std::string_view hint) {
    reports_[std::string(name)] = {std::string(name), std::string(state), std::string(reason), std::string(hint)};
  }
  std::map<std::string, model::ProbeReport> reports_;
};

}  // namespace weir::agent::node
