// What every detector is handed, and small things all of them do.
#pragma once

#include <string>
#include <string_view>

#include "diagnose/activity.h"
#include "diagnose/finding_book.h"
#include "diagnose/names.h"
#include "diagnose/samples.h"

namespace weir::diagnose {

// Lives as long as the judge that made it.
struct Context {
  const Thresholds& thresholds;
  Names& names;
  Activity& activity;
  FindingBook& book;
  UnixMillis now = 0;  // by the server's clock, moved by the judge

  int64_t second() const { return now / 1'000; }
};

// A flow with its ends resolved.
struct FlowEnds {
  PartyNumber client = kNobody;
  PartyNumber server = kNobody;
  int64_t second = 0;  // most of the sample lies in it, by the sample's own clock
};

// Two parties and a port, the key of what detectors watch.
struct PairKey {
  PartyNumber client = kNobody;
  PartyNumber server = kNobody;
  uint16_t port = 0;
  bool to_client = false;  // direction of the data, where that matters
  bool operator==(const PairKey&) const = default;
};
struct PairHash {
  size_t operator()(const PairKey& key) const {
    return HashPair((uint64_t{key.client} << 32) | key.server, (uint64_t{key.port} << 1) | (key.to_client ? 1 : 0));
  }
};

inline constexpr size_t kMaxWatched = 50'000;  // of one detector; beyond, new ones are not watched

Reference FlowReference(std::string columns, const Subject& client, const Subject& server, UnixMillis from,
                        UnixMillis to);
Reference NodeReference(std::string_view signal, const std::string& node, const std::string& subject, UnixMillis from,
                        UnixMillis to);

// Share of [second - 10, second] in which the quota of one of the party's containers held it back; 0 = not, or unknown.
double ThrottledShare(const Context& context, PartyNumber party, int64_t second);

// A sentence to go with findings that rest on a node whose readings have a gap; caps the points at Medium.
void LowerForGaps(Finding& finding, const Thresholds& thresholds);

}  // namespace weir::diagnose
