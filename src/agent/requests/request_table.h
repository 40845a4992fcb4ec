// RequestTable: the turns of an interval, added up by ends, owner and kind of request, as reports.
//
// Bounded: kMaxTemplates resources per server port and interval, the rest "(other)"; kMaxRows reports per interval,
// what does not fit is counted (agent_request_table_full). Thread: the agent's loop, all calls.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/identity/identities.h"
#include "agent/requests/turn_machine.h"
#include "model/side_report.h"

namespace weir::agent::requests {

class RequestTable {
 public:
  static constexpr size_t kMaxTemplates = 200;
  static constexpr size_t kMaxRows = 16'384;

  // `identities` outlives the table.
  explicit RequestTable(identity::Identities& identities) : identities_(identities) {}

  void Add(const weir_step_head& ends, const Turn& turn);
  // Appends the interval's reports and starts the next one.
  void Emit(std::vector<model::SideReport>& out);

 private:
  using ServerPort = std::pair<uint32_t, uint16_t>;  // network namespace, port

  const std::string& Bounded(const weir_step_head& ends, const std::string& resource);
  model::SideReport MakeReport(const weir_step_head& ends, const Turn& turn, const std::string& resource);

  identity::Identities& identities_;
  std::unordered_map<std::string, model::SideReport> rows_;
  std::map<ServerPort, std::set<std::string>> templates_;
  std::string key_;  // scratch
};

}  // namespace weir::agent::requests
