#include "diagnose/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::diagnose {

Reference FlowReference(std::string columns, const Subject& client, const Subject& server, UnixMillis from,
                        UnixMillis to) {
  Reference reference;
  reference.kind = Reference::Kind::kFlows;
  reference.columns = std::move(columns);
  const std::string a = FlowFilter(client, "client_");
  const std::string b = FlowFilter(server, "server_");
  reference.filter = a.empty() ? b : b.empty() ? a : fmt::format("{} and {}", a, b);
  reference.from = from;
  reference.to = to;
  return reference;
}

Reference NodeReference(std::string_view signal, const std::string& node, const std::string& subject, UnixMillis from,
                        UnixMillis to) {
  Reference reference;
  reference.kind = Reference::Kind::kNodeSeries;
  reference.columns = signal;
  reference.node = node;
  reference.subject = subject;
  reference.from = from;
  reference.to = to;
  return reference;
}

double ThrottledShare(const Context& context, PartyNumber party, int64_t second) {
  const Party& known = context.names[party];
  const NodeActivity* node = context.activity.FindNode(known.node);
  if (node == nullptr) return 0;
  std::vector<std::string> containers = known.containers;
  if (const model::Pod* pod = context.names.PodOf(party); pod != nullptr) {
    for (const model::PodContainer& container : pod->containers) containers.push_back(container.id);
  }
  double share = 0;
  for (const std::string& container : containers) {
    const auto recent = node->throttled.find(container);
    if (recent == node->throttled.end() || recent->second.Count(second, 10) == 0) continue;
    const auto us = node->throttled_us.find(container);
    if (us != node->throttled_us.end()) share = std::max(share, static_cast<double>(us->second) / 1e6);
  }
  return share;
}

void LowerForGaps(Finding& finding, const Thresholds& thresholds) {
  finding.not_excluded.emplace_back("Readings of the time are missing, so what happened between them is unknown.");
  const double most = thresholds.confidence_high - 1;
  if (finding.points <= most) return;
  Add(finding, {"readings_missing", "Readings are missing.", 1, "", most - finding.points, {}});
}

}  // namespace weir::diagnose
