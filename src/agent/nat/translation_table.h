// TranslationTable: which connections to ask connection tracking about, within a budget.
//
// A service's address spreads its connections over several backends, so each connection to a destination that is known
// to be translated is asked for. A destination where nothing was translated is asked for again after five seconds;
// until then its connections cost one look into a hash table. Where only the client's address is changed (masquerade),
// what was found holds for five seconds too.
//
// Bounds: 16,384 destinations remembered; 5,000 questions per second on average and 20,000 at once, of some 10 us each.
// What is beyond keeps the address its client used, and is counted (agent_nat_unknown). Thread: the agent's loop, all
// calls.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>

#include "agent/flow/address_translations.h"
#include "agent/nat/connection_tracking.h"
#include "base/clock.h"

namespace weir::agent::nat {

struct TranslationLimits {
  size_t destinations = 16'384;
  uint32_t questions_per_second = 5'000;
  uint32_t questions_at_once = 20'000;
};

class TranslationTable final : public flow::AddressTranslations {
 public:
  // Both outlive the table.
  TranslationTable(ConnectionTracking& tracking, const Clock& clock, TranslationLimits limits = {});

  flow::Translation Find(const flow::ClientEnds& ends) override;
  void RoundEnds() override {
    tracking_.RoundEnds();
    round_ = 0;
  }

 private:
  struct Key {
    model::Address server;
    uint32_t netns = 0;  // of the client
    uint16_t port = 0;
    uint16_t protocol = 0;

    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  struct Destination {
    Nanos settled_until = 0;     // monotonic; until then nobody is asked
    Nanos translated_until = 0;  // until then connections that are not translated are the exception
    model::Address client;       // as servers see it where only that is changed; else unspecified
  };

  bool MayAsk(Nanos now);
  Destination& DestinationOf(const Key& key);
  flow::Translation Judge(const flow::ClientEnds& ends, const Followed& followed, Nanos now, Destination& to);

  ConnectionTracking& tracking_;
  const Clock& clock_;
  const TranslationLimits limits_;
  tsl::robin_map<Key, Destination, Hash> destinations_;
  double questions_left_;
  Nanos refilled_;
  Nanos round_ = 0;        // monotonic, of this round's first question that needed it; 0 = none has
  uint64_t spent_ns_ = 0;  // not counted yet
};

}  // namespace weir::agent::nat
