#include "agent/node/source_catalogue.h"

#include <algorithm>
#include <map>

namespace weir::agent::node {
namespace {

using model::NodeSignal;

// Calls visit(origin, name) for every source of a signal, in order.
template <typename Visit>
void ForEachSource(std::string_view sources, const Visit& visit) {
  while (!sources.empty()) {
    const std::string_view source = sources.substr(0, sources.find(' '));
    sources.remove_prefix(std::min(sources.size(), source.size() + 1));
    const size_t colon = source.find(':');
    if (colon != std::string_view::npos) visit(source.substr(0, colon), source.substr(colon + 1));
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool MatchesPattern(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view tail = pattern.substr(star + 1);
  if (name.size() <= star + tail.size() || !name.ends_with(tail)) return false;
  const std::string_view digits = name.substr(star, name.size() - star - tail.size());
  return std::all_of(digits.begin(), digits.end(), IsDigit);
}

std::vector<ResolvedSignal> Resolve(std::string_view origin, const std::vector<std::string>& names) {
  std::vector<ResolvedSignal> resolved;
  for (size_t i = 0; i < model::kNodeSignalCount; ++i) {
    ResolvedSignal signal{static_cast<NodeSignal>(i), {}};
    ForEachSource(model::kNodeSignals[i].sources, [&](std::string_view from, std::string_view pattern) {
      if (from != origin || !signal.places.empty()) return;
      for (size_t place = 0; place < names.size(); ++place) {
        if (MatchesPattern(pattern, names[place])) signal.places.push_back(place);
      }
    });
    if (!signal.places.empty()) resolved.push_back(std::move(signal));
  }
  return resolved;
}

const std::unordered_map<std::string_view, NodeSignal>& NamesOf(std::string_view origin) {
  using Names = std::unordered_map<std::string_view, NodeSignal>;
  static auto* const by_origin = [] {
    auto* all = new std::map<std::string_view, Names>();
    for (size_t i = 0; i < model::kNodeSignalCount; ++i) {
      ForEachSource(model::kNodeSignals[i].sources, [&](std::string_view from, std::string_view name) {
        (*all)[from].emplace(name, static_cast<NodeSignal>(i));
      });
    }
    return all;
  }();
  static const Names kNone;
  const auto found = by_origin->find(origin);
  return found == by_origin->end() ? kNone : found->second;
}

bool IsKnownOrigin(std::string_view origin) { return !NamesOf(origin).empty(); }

}  // namespace weir::agent::node
