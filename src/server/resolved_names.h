// ResolvedNames: under which names clients asked for addresses, from the DNS answers they received. An answer counts
// for whoever received it alone: the same address is another name's for others.
//
// A name holds for its TTL and kGraceMs beyond, since connections are opened a while after they were asked for.
// Bounded: kMaxAddresses, the oldest go first (counted). Pure: no lock, no clock. Look-ups are borrowed until the next
// change.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/side_report.h"

namespace weir::server {

// Who asked: a pod, or a network namespace of a node. Never 0.
uint64_t AskerOf(std::string_view pod_uid, std::string_view node, uint32_t netns);

struct ResolvedAs {
  std::string name;       // that was asked for
  std::string canonical;  // what its last alias leads to; "" = it has none
  UnixMillis first = 0;   // answered, as far as remembered
  UnixMillis last = 0;
  UnixMillis until = 0;
};

class ResolvedNames {
 public:
  static constexpr size_t kMaxAddresses = 200'000;
  static constexpr size_t kMaxNames = 8;  // of one address, for one asker; the newest
  static constexpr int64_t kGraceMs = 300'000;
  static constexpr int64_t kMaxTtlMs = 86'400'000;

  void Put(uint64_t asker, const model::ResolvedName& resolved, UnixMillis time);
  // Names that held during the interval, the newest answer first; at most kMaxNames.
  std::vector<const ResolvedAs*> Find(uint64_t asker, const model::Address& address, UnixMillis start,
                                      UnixMillis end) const;
  // Forgets what does not hold any more; to be called now and then.
  void Expire(UnixMillis now);

  size_t size() const { return names_.size(); }

 private:
  struct Key {
    uint64_t asker = 0;
    model::Address address;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };

  void DropOldest();

  tsl::robin_map<Key, std::vector<ResolvedAs>, Hash> names_;
};

}  // namespace weir::server
