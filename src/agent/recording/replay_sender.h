// ReplaySender: gives a replay's intervals to a server, as an agent of their own.
//
// Agent id and sequences follow from the recording alone, so a server that gets it twice counts it once; and as they
// are not those of the agent that recorded, a server that has its reports already does not take these for them. The
// node has another name too, for a name belongs to one agent.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "model/side_report.h"
#include "wire/batch_sink.h"

namespace weir::agent::recording {

// Thread: one, all calls.
class ReplaySender {
 public:
  // `node`: "" = "NODE-replay". `sink` and `clock` outlive the sender.
  ReplaySender(std::string node, wire::BatchSink& sink, const Clock& clock)
      : node_(std::move(node)), sink_(sink), clock_(clock) {}

  // Blocks until the interval is stored. As BatchSink::Send(); kUnavailable and kExhausted after ten attempts.
  Status Send(model::AgentBatch batch);

  uint64_t sent() const { return sent_; }            // intervals the server took
  uint64_t known() const { return known_; }          // of these, those it had before
  const std::string& node() const { return node_; }  // as sent, after the first

 private:
  Status SendPart(const std::string& encoded);

  std::string node_;
  wire::BatchSink& sink_;
  const Clock& clock_;
  std::string agent_id_;
  uint64_t sequence_ = 0;
  uint64_t sent_ = 0;
  uint64_t known_ = 0;
};

}  // namespace weir::agent::recording
