// What NAT makes of a client's connection on its way: whose address the client used is not whose backend it reached.
// The flow table's question; agent/nat answers it.
#pragma once

#include <cstdint>

#include "model/address.h"
#include "model/side_report.h"

namespace weir::agent::flow {

// A connection as its client's socket names it.
struct ClientEnds {
  model::Protocol protocol = model::Protocol::kTcp;
  uint32_t netns = 0;  // inode
  uint32_t pid = 0;    // of a process in that network namespace; 0 = none known
  model::Address client;
  model::Address server;
  uint16_t client_port = 0;
  uint16_t server_port = 0;
  bool answered = true;  // the other end has said something, so the first packet came all the way
  bool last = false;     // nobody asks again: the connection is over
  // With `last`: both ends know that it is over, so whoever translates it should; see ConnectionTracking.
  bool closed = false;
  bool succeeded = false;  // with `last`: a later connection has had the same addresses and ports
};

struct Translation {
  enum class State {
    kNone,        // nothing is translated, as far as can be told
    kTranslated,  // to the ends below
    kLater,       // not to be told now; worth another question when there is news of the connection
  };
  State state = State::kNone;
  model::Address client;  // as the server sees it
  model::Address server;  // which the client reaches
  uint16_t server_port = 0;
  bool of_all = false;  // it holds for every connection to this destination, until the round ends

  static Translation Later() {
    Translation later;
    later.state = State::kLater;
    return later;
  }
};

// Thread: the agent's loop, all calls.
class AddressTranslations {
 public:
  virtual ~AddressTranslations() = default;
  virtual Translation Find(const ClientEnds& ends) = 0;
  // Whether anything may be translated in this round. Costs little; false is certain.
  virtual bool Active() = 0;
  // No more questions for now: gives back what was opened to answer.
  virtual void RoundEnds() = 0;
};

}  // namespace weir::agent::flow
