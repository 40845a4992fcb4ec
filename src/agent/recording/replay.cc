#include "agent/recording/replay.h"

#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <fstream>
#include <utility>

#include "agent/observe.h"
#include "base/metrics.h"
#include "wire/batch_codec.h"

namespace weir::agent::recording {

Result<std::unique_ptr<Replay>> Replay::Open(const std::filesystem::path& file) {
  errno = 0;
  auto stream = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*stream) return Status::FromErrno(errno, "open " + file.string());
  Result<std::unique_ptr<Replay>> replay = Open(std::unique_ptr<std::istream>(std::move(stream)));
  if (!replay.ok()) return replay.status().Annotate(file.string());
  return replay;
}

Result<std::unique_ptr<Replay>> Replay::Open(std::unique_ptr<std::istream> stream) {
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Reader> reader, Reader::Open(std::move(stream)));
  std::unique_ptr<Replay> replay(new Replay(std::make_unique<Tape>(std::move(reader))));
  replay->tape_->OnRestraint([replay = replay.get()](GivenUpMask mask) { replay->Restrain(mask); });
  return replay;
}

std::optional<model::AgentBatch> Replay::Next() {
  while (const auto step = tape_->NextStep()) {
    switch (static_cast<Step>(step->step)) {
      case Step::kStart:
        if (started_) {
          tape_->Damaged("a second start");
          return std::nullopt;
        }
        started_ = true;
        source_ = MakeObserver(tape_->header().observed, *tape_);
        if (const Status status = source_->Start(); !status.ok()) source_.reset();
        break;
      case Step::kPoll:
        if (source_ != nullptr) source_->Poll();
        break;
      case Step::kCollect:
        if (auto batch = Collected(step->now)) return batch;
        break;
      default: tape_->Damaged("an unknown step"); break;
    }
  }
  return std::nullopt;
}

std::optional<model::AgentBatch> Replay::Collected(Nanos now) {
  Collection collection;
  // What failed is a probe of the batch.
  if (source_ != nullptr) (void)source_->Collect(now, collection);
  const auto encoded = tape_->NextBatch();
  if (!encoded) return std::nullopt;
  Result<model::AgentBatch> batch = wire::DecodeBatch(*encoded);
  if (!batch.ok()) {
    tape_->Damaged("an interval: " + batch.status().message());
    return std::nullopt;
  }
  if (TooLarge()) {
    tape_->Damaged("more sockets or pairs than its machine could follow");
    return std::nullopt;
  }
  namespaces_.Merge(now, collection.reports, batch->namespaces);
  batch->sequence = ++intervals_;
  batch->reports = std::move(collection.reports);
  batch->local_addresses = std::move(collection.local_addresses);
  batch->resolved = std::move(collection.resolved);
  return *std::move(batch);
}

// As the agent did then, to stay within its budget.
void Replay::Restrain(GivenUpMask mask) {
  Restraint restraint;
  for (size_t i = 0; i < kGivenUps; ++i) {
    const auto what = static_cast<GivenUp>(i);
    if ((mask & MaskOf(what)) != 0) restraint.Set(what, "given up when it was recorded");
  }
  if (source_ != nullptr) source_->Restrain(restraint);
}

bool Replay::TooLarge() const {
  const ObserveOptions& observed = tape_->header().observed;
  const uint64_t most_sockets = 4 * std::bit_ceil(uint64_t{observed.max_sockets}) + 65'536;
  const uint64_t most_pairs = 4 * std::bit_ceil(uint64_t{observed.max_flows}) + 65'536;
  return Read(Metric::agent_sockets) > most_sockets || Read(Metric::agent_udp_pairs) > most_pairs;
}

Status Replay::status() const {
  const Ending& ending = tape_->ending();
  if (ending.kind != Ending::Kind::kDamaged) return Status::Ok();
  return Status::Corrupt(fmt::format("the recording is damaged after {} intervals: {}", intervals_, ending.why));
}

std::string Replay::Remarks() const {
  std::string text;
  const Ending& ending = tape_->ending();
  if (ending.kind == Ending::Kind::kCut) {
    text += fmt::format("the recording was cut after {} intervals: {}; ", intervals_, ending.why);
  }
  if (ending.kind == Ending::Kind::kUnfinished) {
    text += fmt::format("the recording has no end after {} intervals: its agent died or records still; ", intervals_);
  }
  if (const std::string fields = tape_->missing_fields(); !fields.empty()) {
    text += fmt::format("it was recorded without {}, which read 0; ", fields);
  }
  if (tape_->skipped() > 0) {
    text +=
        fmt::format("{} recorded events were not asked for: weir {} asked differently, its reports may have differed; ",
                    tape_->skipped(), header().weir);
  }
  if (!text.empty()) text.resize(text.size() - 2);
  return text;
}

}  // namespace weir::agent::recording
