// TranslationTable: which connections to ask connection tracking about, within a budget.
//
// A translation belongs to one connection: a service spreads its connections over several backends, and rules may ask
// for the sender's user, a mark or chance. So each connection is asked for, within two budgets. Where a process' last
// connection to a destination was not translated to another server, its next ones are asked for out of the smaller one,
// and when that is spent what was found holds for them for five seconds, which is counted (agent_nat_assumed).
//
// Bounds: 16,384 destinations remembered; 5,000 questions per second on average and 20,000 at once, of some 10 us each,
// of these 1,000 and 5,000 where nothing was translated. What is beyond keeps the address its client used, and is
// counted (agent_nat_unknown). Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>

#include "agent/flow/address_translations.h"
#include "agent/nat/connection_tracking.h"
#include "base/clock.h"

namespace weir::agent::nat {

struct TranslationLimits {
  size_t destinations = 16'384;
  uint32_t questions_per_second = 5'000;
  uint32_t questions_at_once = 20'000;
  uint32_t confirmations_per_second = 1'000;  // of these, where nothing was translated last
  uint32_t confirmations_at_once = 5'000;
};

class TranslationTable final : public flow::AddressTranslations {
 public:
  // Both outlive the table.
  TranslationTable(ConnectionTracking& tracking, const Clock& clock, TranslationLimits limits = {});

  flow::Translation Find(const flow::ClientEnds& ends) override;
  bool Active() override { return tracking_.Active(); }
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
  // A process whose last connection to a destination was not translated to another server.
  struct Settled {
    uint32_t pid = 0;
    Nanos until = 0;        // monotonic
    model::Address client;  // as servers see it where that is changed; else unspecified
  };
  struct Destination {
    Nanos translated_until = 0;  // monotonic; until then connections that are not translated are the exception
    std::array<Settled, 4> settled{};

    const Settled* Find(uint32_t pid, Nanos now) const;
    void Settle(const Settled& process);
  };

  // What may be asked out of one budget.
  struct Budget {
    uint32_t per_second;
    uint32_t at_once;
    double left;
    Nanos refilled;

    bool Allows(Nanos now);
  };

  flow::Translation Ask(const flow::ClientEnds& ends, const Key& key, bool is_new, Nanos now);
  Destination& DestinationOf(const Key& key);
  flow::Translation Judge(const flow::ClientEnds& ends, const Followed& followed, Nanos now, Destination& to);

  ConnectionTracking& tracking_;
  const Clock& clock_;
  const TranslationLimits limits_;
  tsl::robin_map<Key, Destination, Hash> destinations_;
  Budget questions_;
  Budget confirmations_;
  Nanos round_ = 0;        // monotonic, of this round's first question that needed it; 0 = none has
  uint64_t spent_ns_ = 0;  // not counted yet
};

}  // namespace weir::agent::nat
