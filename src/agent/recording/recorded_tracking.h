// What connection tracking answers, in a recording: written down while it is asked, and given again.
#pragma once

#include <cstdint>
#include <memory>

#include "agent/nat/connection_tracking.h"
#include "agent/recording/answers.h"
#include "agent/recording/reader.h"
#include "agent/recording/writer.h"

namespace weir::agent::recording {

// A connection that is asked about. Which process helps to find its namespace is no part of the question, nor is how
// thoroughly it is looked for.
struct AskedConnection {
  explicit AskedConnection(const flow::ClientEnds& ends);
  explicit AskedConnection(const FollowedFrame& frame);
  bool operator==(const AskedConnection&) const = default;

  model::Address client;
  model::Address server;
  uint32_t netns;  // of the client
  uint16_t client_port;
  uint16_t server_port;
  uint32_t protocol;
};
struct AskedConnectionHash {
  size_t operator()(const AskedConnection& connection) const;
};

// A connection is asked about once as a rule, so what was answered is not kept for ever: the log and the book forget at
// the same time, the book having been asked the same.
using FollowedLog = AnswerLog<AskedConnection, nat::Followed, AskedConnectionHash>;
using FollowedBook = AnswerBook<AskedConnection, nat::Followed, AskedConnectionHash>;
using ActiveLog = AnswerLog<int, bool>;  // of one question
using ActiveBook = AnswerBook<int, bool>;

// The answers a recording holds. Thread: one, all calls.
class TrackingAnswers {
 public:
  void BeginStep();
  // Of an answer to one of the two questions. False: more than there can be.
  bool Take(const Frame& frame);
  bool Active() { return active_.Ask(0, false); }
  nat::Followed Follow(const flow::ClientEnds& ends);

 private:
  ActiveBook active_;
  FollowedBook followed_{FollowedLog::kMaxKeys};
};

// `writer` outlives it.
std::unique_ptr<nat::ConnectionTracking> RecordTracking(std::unique_ptr<nat::ConnectionTracking> inner, Writer& writer);
// `answers` outlive it.
std::unique_ptr<nat::ConnectionTracking> ReplayTracking(TrackingAnswers& answers);

}  // namespace weir::agent::recording
