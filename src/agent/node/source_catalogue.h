// The `sources` of the signal catalogue (model/node_signals.h), looked up the other way round: from the names a
// driver or a file uses to signals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/node_signals.h"

namespace weir::agent::node {

// A signal and where its parts are in the list of names it was resolved from; the value is their sum.
struct ResolvedSignal {
  model::NodeSignal signal = model::NodeSignal::node_pass_us;
  std::vector<size_t> places;
};

// Which signals these names carry, by the sources of this origin. Unknown names are left alone, signals none of
// whose sources match are left out.
std::vector<ResolvedSignal> Resolve(std::string_view origin, const std::vector<std::string>& names);

// Name -> signal for origins whose names are fixed (no *). The map lives as long as the process.
const std::unordered_map<std::string_view, model::NodeSignal>& NamesOf(std::string_view origin);

// Whether any source has this origin, e.g. whether a driver is known.
bool IsKnownOrigin(std::string_view origin);

// * = one or more digits.
bool MatchesPattern(std::string_view pattern, std::string_view name);

}  // namespace weir::agent::node
