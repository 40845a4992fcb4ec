// The answer of /accounts: which flows and which readings belong to a network namespace, and its account in JSON. The
// arithmetic is in diagnose/account.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/json.h"
#include "base/clock.h"
#include "diagnose/account.h"
#include "model/node_signals.h"
#include "store/node_store.h"

namespace weir::api {

using FlowsByNamespace = std::map<std::pair<std::string, uint32_t>, diagnose::NamespaceFlows>;  // node, inode

// The question FlowsOf() reads the answer of: all flows of a node, by namespace, protocol and server port.
store::FlowQuery AccountFlowsQuery(const store::TimeRange& range, const std::string& node);
// Bytes sent again are segments sent again times the mean payload of a segment to or from the same server port. On the
// way in only those count that had arrived before (spurious ones): the others were lost before they came here.
FlowsByNamespace FlowsOf(const store::FlowResult& result);

// Signals a namespace is recognised by, and those an account is made of.
const std::vector<model::NodeSignal>& AccountMarks();
const std::vector<model::NodeSignal>& AccountSignals();

// From the first to the last reading of a node's namespaces within a range: counters read after `from`, up to `to`.
// from == to: it was read once or never, and nothing can be said. `marks`: totals of AccountMarks() of the node.
store::TimeRange ReadingsOf(const std::vector<store::NodeTotal>& marks);

// All that is known of one node.
struct AccountFacts {
  std::string node;
  store::TimeRange range;                  // ReadingsOf()
  std::vector<store::NodeTotal> marks;     // of the range asked for
  std::vector<store::NodeTotal> totals{};  // of AccountSignals() in `range`
  FlowsByNamespace flows{};                // of any nodes
  std::string resolution{};                // the table flows were read from
  bool from_minutes = false;               // so were the signals
};

// One account per namespace read in the range, appended to `accounts`. Returns the payload of the node's flows in
// namespaces that were not read.
uint64_t AppendAccounts(const AccountFacts& facts, Json& accounts);

}  // namespace weir::api
