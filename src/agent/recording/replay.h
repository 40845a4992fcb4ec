// Replay: a recording through the same sources, tables and reports as the agent that made it, without a kernel and
// without privileges. What comes out is what that agent sent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "agent/recording/header.h"
#include "agent/recording/tape.h"
#include "agent/source.h"
#include "agent/source/namespace_table.h"
#include "base/status.h"
#include "model/side_report.h"

namespace weir::agent::recording {

// Thread: one, all calls.
class Replay {
 public:
  // Errors as for Reader::Open; kNotFound, kDenied.
  static Result<std::unique_ptr<Replay>> Open(const std::filesystem::path& file);
  static Result<std::unique_ptr<Replay>> Open(std::unique_ptr<std::istream> stream);

  const Header& header() const { return tape_->header(); }
  // The next interval, as it was sent but for the agent's own counters; nullopt when there is none.
  std::optional<model::AgentBatch> Next();

  // Both after Next() has returned nullopt. kCorrupt: the recording is damaged, and what came out is what came before.
  Status status() const;
  // What else a person should know, in sentences; "" = nothing.
  std::string Remarks() const;

 private:
  explicit Replay(std::unique_ptr<Tape> tape) : tape_(std::move(tape)) {}

  std::optional<model::AgentBatch> Collected(Nanos now);
  void Restrain(GivenUpMask mask);
  bool TooLarge() const;

  std::unique_ptr<Tape> tape_;  // outlives source_
  std::unique_ptr<Source> source_;
  source::NamespaceTable namespaces_{0};  // a recording says which is its machine's own
  bool started_ = false;
  uint64_t intervals_ = 0;
};

}  // namespace weir::agent::recording
