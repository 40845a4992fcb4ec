// Tape: an origin that is a recording. It gives the sources again, event by event, what they were given when it was
// recorded, and the answers they got.
//
// Events are given in their order and to whom they were given: when a source asks for the next and another's is next,
// there is none for it now. What nobody asked for when a step ends is passed over and counted (skipped()): then this
// program asks differently from the one that recorded, and what it reports may differ as well.
//
// Bounded by what the recording says of its machine: a table that grows beyond is damage. Thread: one, all calls.
#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/budget/restraint.h"
#include "agent/origin.h"
#include "agent/recording/answers.h"
#include "agent/recording/reader.h"
#include "agent/recording/recorded_tracking.h"

namespace weir::agent::recording {

class Tape final : public Origin {
 public:
  explicit Tape(std::unique_ptr<Reader> reader);

  const Header& header() const { return reader_->header(); }
  const Ending& ending() const { return reader_->ending(); }
  uint64_t skipped() const { return skipped_; }
  // Of this program's structs, what the recording does not know: "weir_record.gaps, ..."; "" = nothing.
  std::string missing_fields() const;

  // Called by the next two where the agent restrained its sources, so that it is done again.
  void OnRestraint(std::function<void(GivenUpMask)> restrain) { restrain_ = std::move(restrain); }
  // The next step, what was left of the one before having been passed over; nullopt at the end.
  std::optional<StepFrame> NextStep();
  // The batch that follows the collection of this step, encoded; nullopt when there is none.
  std::optional<std::string> NextBatch();
  void Damaged(std::string why) { reader_->Damaged(std::move(why)); }

  const Clock& clock() const override { return clock_; }
  source::Surroundings SurroundingsOf(Observer observer) override;
  Result<std::unique_ptr<kernel::SocketTracker>> OpenSockets(const kernel::KernelOptions& options,
                                                             std::vector<model::ProbeReport>& probes) override;
  Result<std::unique_ptr<udp::UdpTracker>> OpenUdp(const udp::UdpTrackerOptions& options) override;
  Result<std::unique_ptr<requests::RequestProbe>> OpenRequests(const requests::RequestProbeOptions& options) override;
  std::unique_ptr<nat::ConnectionTracking> OpenTracking() override { return ReplayTracking(tracking_); }

  // For what it opened: the next event if it is of this kind, which is then passed, and the answers behind it taken.
  bool Take(FrameKind kind) {
    return Take(kind, [](std::string_view) { return true; });
  }
  bool TakeRecord(weir_record& to);
  bool TakePair(FrameKind kind, weir_udp_key& key, weir_udp_flow& flow);
  bool TakeDns(weir_dns_message& to);
  bool TakeStep(weir_step& to);
  bool TakeHead(weir_step_head& to);
  bool TakeHello(weir_step_hello& to);
  Nanos TakeClock();
  Status TakeSnapshotEnd();

  struct Opened {
    Status status = Status::Unavailable("the recording does not tell whether it could start");
    uint32_t max_pairs = 0;
  };
  struct OwnerQuestion {
    uint64_t cgroup_id;
    uint64_t pid;
    bool operator==(const OwnerQuestion&) const = default;
  };
  struct OwnerHash {
    size_t operator()(const OwnerQuestion& key) const { return std::hash<uint64_t>()(key.cgroup_id ^ (key.pid << 40)); }
  };
  // What one observer is told.
  struct Answers {
    Opened opened;
    std::vector<model::Address> interfaces;
    AnswerBook<OwnerQuestion, uint64_t, OwnerHash> owners;
    AnswerBook<uint64_t, std::shared_ptr<const identity::CgroupName>> names;
    AnswerBook<uint32_t, std::shared_ptr<const std::string>> netns_names;
  };
  Answers& AnswersOf(Observer observer) { return answers_[static_cast<size_t>(observer)]; }
  const Status& existing() const { return existing_; }
  const kernel::KernelLosses& losses() const { return losses_; }

 private:
  class TapeClock final : public Clock {
   public:
    explicit TapeClock(Tape& tape) : tape_(tape) {}
    Nanos WallNanos() const override { return tape_.TakeClock(); }
    Nanos MonotonicNanos() const override { return tape_.TakeClock(); }

   private:
    Tape& tape_;
  };

  // `use` copies the payload while it is there; false = it makes no sense.
  template <typename Use>
  bool Take(FrameKind kind, Use use) {
    const Frame* frame = reader_->Peek();
    if (frame == nullptr || frame->kind != kind) return false;
    if (!use(frame->payload)) {
      reader_->Damaged("an event at an impossible time, or more than there can be");
      return false;
    }
    Pass();
    return true;
  }
  void Pass();
  void PassOver(const Frame& frame);
  void TakeAnswers();
  bool TakeAnswer(const Frame& frame);
  bool TakeName(const Frame& frame, Answers& answers);
  template <typename T>
  void Convert(Struct which, std::string_view payload, T& to) const {
    reader_->conversion(which).Convert(payload.data(), reinterpret_cast<char*>(&to));
  }

  const std::unique_ptr<Reader> reader_;
  const TapeClock clock_;
  Nanos now_ = 0;               // as last read
  std::deque<Nanos> readings_;  // of the clock, not asked for yet in this step
  std::function<void(GivenUpMask)> restrain_;
  uint64_t skipped_ = 0;
  uint64_t live_ = 0;  // sockets and listeners reported in this step
  uint64_t pairs_ = 0;
  std::array<Answers, kObservers> answers_;
  TrackingAnswers tracking_;
  Status existing_;
  kernel::KernelLosses losses_;
};

}  // namespace weir::agent::recording
