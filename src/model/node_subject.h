// What a node signal is about, as a structure. On the wire and in the store it is one text, made and read here alone.
#pragma once

#include <string>
#include <string_view>

#include "model/node_signals.h"

namespace weir::model {

// Which parts there are depends on the scope of the signal. Texts belong to whoever was parsed.
struct NodeSubject {
  std::string_view netns_name;  // of interfaces, queueing disciplines and drops; "" = the agent's own namespace
  std::string_view interface;   // of interfaces, queues and queueing disciplines
  std::string_view detail;      // "rx 3", "tbf 8001:", a drop's reason and place, a CPU, a group, a port, a namespace

  bool is_own() const { return netns_name.empty(); }
  friend bool operator==(const NodeSubject&, const NodeSubject&) = default;
};

NodeSubject ParseNodeSubject(SignalScope scope, std::string_view text);
// The text that ParseNodeSubject() reads back.
std::string NodeSubjectText(const NodeSubject& subject);

}  // namespace weir::model
