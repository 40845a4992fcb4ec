// The answer of /serving: who answers requests, how fast on the wire, and what the application says of itself. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/json.h"
#include "apps/scraper.h"
#include "base/clock.h"
#include "diagnose/app_beside.h"
#include "store/query.h"

namespace weir::api {

inline constexpr size_t kMaxWindows = 4;      // questions for times that single applications cover
inline constexpr int64_t kWindowMs = 15'000;  // that far apart, two times count as the same

struct ServingFacts {
  store::TimeRange range;
  store::FlowResult rows;              // of the range, by ServingGroup()
  std::vector<apps::TargetView> apps;  // with figures of the range
  bool asked = false;                  // whether any application is asked for its numbers
  // The same rows from this time on, for applications that are followed since then only.
  std::map<UnixMillis, store::FlowResult> since;
};

// What makes a server, and what is measured of it.
const std::vector<const model::Column*>& ServingGroup();
const std::vector<const model::Column*>& ServingMeasures();

// Which application speaks for which row, and why one speaks for none.
struct Matches {
  std::map<size_t, size_t> app_of_row;
  std::vector<std::pair<size_t, std::string>> without_row;  // application, reason
};
Matches MatchApps(const ServingFacts& facts);

// From when on this application covers the range, where that is noticeably later than its start; else nothing.
std::optional<UnixMillis> LaterStart(const ServingFacts& facts, const apps::TargetView& app);

// Of the busiest server that an application speaks for: its first chunk beside the first token. Nothing without any.
std::optional<diagnose::Beside> FirstBeside(const ServingFacts& facts);

Json ServingJson(const ServingFacts& facts);

}  // namespace weir::api
