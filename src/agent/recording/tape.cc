#include "agent/recording/tape.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "model/columns.h"

namespace weir::agent::recording {
namespace {

constexpr size_t kMaxAnswers = size_t{1} << 20;  // of an observer and a kind
constexpr size_t kMaxInterfaces = 65'536;
constexpr size_t kMaxReadings = size_t{1} << 21;  // of the clock, of a step: NAT takes two for each connection
// 146 years after boot: differences of such times fit their type.
constexpr uint64_t kLatestNs = uint64_t{1} << 62;

bool IsTime(uint64_t ns) { return ns < kLatestNs; }

template <typename T>
T FixedPart(std::string_view payload) {
  T value{};
  std::memcpy(&value, payload.data(), sizeof(value));
  return value;
}

Status StatusOf(uint32_t code, std::string_view message) {
  if (code == static_cast<uint32_t>(Code::kOk)) return Status::Ok();
  const bool known = code <= static_cast<uint32_t>(Code::kInternal);
  return {known ? static_cast<Code>(code) : Code::kInternal, std::string(message)};
}

class TapeIdentities final : public identity::Identities {
 public:
  explicit TapeIdentities(Tape::Answers& answers) : answers_(answers) { AskProcesses(true); }
  std::shared_ptr<const identity::CgroupName> NameOf(uint64_t owner) override {
    return answers_.names.Ask(owner, nobody_);
  }
  std::shared_ptr<const std::string> NetnsNameOf(uint32_t inode) override {
    return answers_.netns_names.Ask(inode, nameless_);
  }
  void ExpireAnswers() override {}
  Groups groups() const override { return Groups::kAll; }

 private:
  uint64_t OwnerByProcess(uint64_t cgroup_id, uint32_t pid) override {
    return answers_.owners.Ask({cgroup_id, pid}, cgroup_id);
  }

  Tape::Answers& answers_;
  const std::shared_ptr<const identity::CgroupName> nobody_ = std::make_shared<const identity::CgroupName>();
  const std::shared_ptr<const std::string> nameless_ = std::make_shared<const std::string>();
};

class TapeSockets final : public kernel::SocketTracker {
 public:
  explicit TapeSockets(Tape& tape) : tape_(tape) {}
  void DrainRing(kernel::RecordSink& sink) override {
    for (weir_record record{}; tape_.TakeRecord(record);) sink.OnRecord(record);
  }
  Status Snapshot(bool, kernel::RecordSink& sink) override {
    DrainRing(sink);
    return tape_.TakeSnapshotEnd();
  }
  Status ReadExisting() override { return tape_.existing(); }
  kernel::KernelLosses Losses() override { return tape_.losses(); }
  void OnReceiveLoss(std::span<const uint64_t>, Nanos) override {}

 private:
  Tape& tape_;
};

class TapeUdp final : public udp::UdpTracker {
 public:
  explicit TapeUdp(Tape& tape) : tape_(tape) {}
  Status ReadPairs(const OnPair& on_pair) override {
    weir_udp_key key{};
    for (weir_udp_flow flow{}; tape_.TakePair(FrameKind::kPair, key, flow);) on_pair(key, flow);
    return Status::Ok();
  }
  bool Forget(const weir_udp_key&, weir_udp_flow& last) override {
    weir_udp_key key{};
    return !tape_.Take(FrameKind::kNotForgotten) && tape_.TakePair(FrameKind::kForgotten, key, last);
  }
  void DrainDns(const std::function<void(const weir_dns_message&)>& on_message) override {
    for (weir_dns_message message{}; tape_.TakeDns(message);) on_message(message);
  }
  udp::UdpLosses Losses() override { return {}; }
  uint32_t max_pairs() const override { return tape_.AnswersOf(Observer::kUdp).opened.max_pairs; }

 private:
  Tape& tape_;
};

class TapeRequests final : public requests::RequestProbe {
 public:
  explicit TapeRequests(Tape& tape) : tape_(tape) {}
  void Drain(requests::StepSink& sink) override {
    weir_step_head head{};
    weir_step step{};
    weir_step_hello hello{};
    for (;;) {
      if (tape_.TakeHead(head)) {
        sink.OnHead(head);
      } else if (tape_.TakeStep(step)) {
        sink.OnStep(step);
      } else if (tape_.TakeHello(hello)) {
        sink.OnHello(hello);
      } else {
        return;
      }
    }
  }
  requests::RequestLosses Losses() override { return {}; }
  void ForgetPorts(bool) override {}

 private:
  Tape& tape_;
};

}  // namespace

Tape::Tape(std::unique_ptr<Reader> reader) : reader_(std::move(reader)), clock_(*this) {}

std::string Tape::missing_fields() const {
  std::string text;
  for (size_t i = 0; i < kStructs; ++i) {
    const auto which = static_cast<Struct>(i);
    for (const std::string_view field : reader_->conversion(which).missing()) {
      if (field == "zero" || field == "unused") continue;
      text.append(text.empty() ? "" : ", ").append(LayoutOf(which).name).append(".").append(field);
    }
  }
  return text;
}

void Tape::Pass() {
  reader_->Pop();
  TakeAnswers();
}

void Tape::TakeAnswers() {
  for (const Frame* frame = reader_->Peek(); frame != nullptr && IsAnswer(frame->kind); frame = reader_->Peek()) {
    if (!TakeAnswer(*frame)) reader_->Damaged("an answer that makes no sense");
    reader_->Pop();
  }
}

void Tape::PassOver(const Frame& frame) {
  if (frame.kind != FrameKind::kRestraint) {
    ++skipped_;
    Pass();
    return;
  }
  const auto mask = FixedPart<GivenUpMask>(frame.payload);
  Pass();
  if (restrain_) restrain_(mask);
}

std::optional<StepFrame> Tape::NextStep() {
  const Frame* frame = reader_->Peek();
  for (; frame != nullptr && frame->kind != FrameKind::kStep; frame = reader_->Peek()) {
    PassOver(*frame);
  }
  if (frame == nullptr) return std::nullopt;
  const auto step = FixedPart<StepFrame>(frame->payload);
  if (step.now < 0 || !IsTime(static_cast<uint64_t>(step.now))) {
    reader_->Damaged("a step at an impossible time");
    return std::nullopt;
  }
  now_ = step.now;
  readings_.clear();
  live_ = pairs_ = 0;
  for (Answers& answers : answers_) {
    answers.owners.BeginStep();
    answers.names.BeginStep();
    answers.netns_names.BeginStep();
  }
  tracking_.BeginStep();
  Pass();
  return step;
}

std::optional<std::string> Tape::NextBatch() {
  const Frame* frame = reader_->Peek();
  for (; frame != nullptr && frame->kind != FrameKind::kBatch && frame->kind != FrameKind::kStep;
       frame = reader_->Peek()) {
    PassOver(*frame);
  }
  if (frame == nullptr || frame->kind != FrameKind::kBatch) return std::nullopt;
  std::string encoded(frame->payload);
  Pass();
  return encoded;
}

bool Tape::TakeAnswer(const Frame& frame) {
  Answers& answers = answers_[frame.observer];
  switch (frame.kind) {
    case FrameKind::kClock: {
      const auto now = FixedPart<Nanos>(frame.payload);
      if (now < 0 || !IsTime(static_cast<uint64_t>(now)) || readings_.size() >= kMaxReadings) return false;
      readings_.push_back(now);
      return true;
    }
    case FrameKind::kOpened: {
      const auto opened = FixedPart<OpenedFrame>(frame.payload);
      answers.opened = {StatusOf(opened.code, frame.payload.substr(sizeof(opened))), opened.max_pairs};
      return true;
    }
    case FrameKind::kExisting:
      existing_ = StatusOf(FixedPart<StatusFrame>(frame.payload).code, frame.payload.substr(sizeof(StatusFrame)));
      return true;
    case FrameKind::kLosses: {
      const auto losses = FixedPart<LossesFrame>(frame.payload);
      losses_ = {losses.map_full, losses.ring_full, losses.ring_full_bytes, losses.stale, losses.arrivals_full};
      return true;
    }
    case FrameKind::kInterfaces: {
      const size_t count = frame.payload.size() / sizeof(model::Address);
      if (count > kMaxInterfaces) return false;
      answers.interfaces.resize(count);
      for (size_t i = 0; i < count; ++i) {
        std::memcpy(answers.interfaces[i].bytes.data(), frame.payload.data() + i * sizeof(model::Address),
                    sizeof(model::Address));
      }
      return true;
    }
    case FrameKind::kTracking:
    case FrameKind::kFollowed: return tracking_.Take(frame);
    default: return TakeName(frame, answers);
  }
}

bool Tape::TakeName(const Frame& frame, Answers& answers) {
  if (answers.owners.size() + answers.names.size() + answers.netns_names.size() > kMaxAnswers) return false;
  if (frame.kind == FrameKind::kOwner) {
    const auto owner = FixedPart<OwnerFrame>(frame.payload);
    answers.owners.Put({owner.cgroup_id, owner.pid}, owner.after, owner.owner);
    return true;
  }
  if (frame.kind == FrameKind::kName) {
    const auto name = FixedPart<NameFrame>(frame.payload);
    const std::string_view text = frame.payload.substr(sizeof(name));
    const size_t fixed = size_t{name.container_bytes} + name.unit_bytes;
    if (text.size() < fixed || text.size() - fixed > 3 * (model::kMaxStringBytes + 1)) return false;
    std::string_view more = text.substr(fixed);
    identity::CgroupName cgroup{std::string(text.substr(0, name.container_bytes)),
                                std::string(text.substr(name.container_bytes, name.unit_bytes))};
    for (std::string* const field : {&cgroup.pod_uid, &cgroup.container_name, &cgroup.image}) {
      const size_t end = std::min(more.find('\0'), more.size());
      *field = more.substr(0, end);
      more.remove_prefix(std::min(end + 1, more.size()));
    }
    answers.names.Put(name.owner, name.after, std::make_shared<const identity::CgroupName>(std::move(cgroup)));
    return true;
  }
  const auto netns = FixedPart<NetnsFrame>(frame.payload);
  const std::string_view text = frame.payload.substr(sizeof(netns));
  if (text.size() > UINT16_MAX) return false;
  answers.netns_names.Put(netns.inode, netns.after, std::make_shared<const std::string>(text));
  return true;
}

bool Tape::TakeRecord(weir_record& to) {
  return Take(FrameKind::kRecord, [&](std::string_view payload) {
    Convert(Struct::kRecord, payload, to);
    if (to.kind != WEIR_RECORD_FINAL) ++live_;
    // A socket may close and its place be taken while a snapshot is made, but not for ever.
    const uint64_t most = 4 * std::bit_ceil(uint64_t{header().observed.max_sockets}) + 65'536;
    return live_ <= most && IsTime(to.time_ns) && IsTime(to.start_ns) && IsTime(to.established_ns);
  });
}

bool Tape::TakePair(FrameKind kind, weir_udp_key& key, weir_udp_flow& flow) {
  return Take(kind, [&](std::string_view payload) {
    Convert(Struct::kUdpKey, payload, key);
    payload.remove_prefix(reader_->conversion(Struct::kUdpKey).recorded_bytes());
    Convert(Struct::kUdpFlow, payload, flow);
    const uint64_t most = 4 * std::bit_ceil(uint64_t{header().observed.max_flows}) + 65'536;
    return ++pairs_ <= most && IsTime(flow.first_ns);
  });
}

bool Tape::TakeDns(weir_dns_message& to) {
  return Take(FrameKind::kDnsMessage, [&](std::string_view payload) {
    Convert(Struct::kDnsMessage, payload, to);
    return IsTime(to.time_ns);
  });
}

bool Tape::TakeStep(weir_step& to) {
  return Take(FrameKind::kStepOther, [&](std::string_view payload) {
    Convert(Struct::kStep, payload, to);
    return IsTime(to.time_ns);
  });
}

bool Tape::TakeHead(weir_step_head& to) {
  return Take(FrameKind::kStepHead, [&](std::string_view payload) {
    Convert(Struct::kStepHead, payload, to);
    return IsTime(to.step.time_ns);
  });
}

bool Tape::TakeHello(weir_step_hello& to) {
  return Take(FrameKind::kStepHello, [&](std::string_view payload) {
    Convert(Struct::kStepHello, payload, to);
    return IsTime(to.step.time_ns);
  });
}

Nanos Tape::TakeClock() {
  if (!readings_.empty()) {
    now_ = readings_.front();
    readings_.pop_front();
  }
  return now_;
}

Status Tape::TakeSnapshotEnd() {
  Status status = Status::Unavailable("the recording ends within a snapshot");
  Take(FrameKind::kSnapshotEnd, [&](std::string_view payload) {
    status = StatusOf(FixedPart<StatusFrame>(payload).code, payload.substr(sizeof(StatusFrame)));
    return true;
  });
  return status;
}

source::Surroundings Tape::SurroundingsOf(Observer observer) {
  Answers& answers = AnswersOf(observer);
  return {.identities = std::make_unique<TapeIdentities>(answers),
          .interface_addresses = [&answers] { return answers.interfaces; },
          .jiffy_us = header().jiffy_us};
}

Result<std::unique_ptr<kernel::SocketTracker>> Tape::OpenSockets(const kernel::KernelOptions&,
                                                                 std::vector<model::ProbeReport>&) {
  if (const Status& status = AnswersOf(Observer::kTcp).opened.status; !status.ok()) return status;
  return std::unique_ptr<kernel::SocketTracker>(std::make_unique<TapeSockets>(*this));
}

Result<std::unique_ptr<udp::UdpTracker>> Tape::OpenUdp(const udp::UdpTrackerOptions&) {
  if (const Status& status = AnswersOf(Observer::kUdp).opened.status; !status.ok()) return status;
  return std::unique_ptr<udp::UdpTracker>(std::make_unique<TapeUdp>(*this));
}

Result<std::unique_ptr<requests::RequestProbe>> Tape::OpenRequests(const requests::RequestProbeOptions&) {
  if (const Status& status = AnswersOf(Observer::kRequests).opened.status; !status.ok()) return status;
  return std::unique_ptr<requests::RequestProbe>(std::make_unique<TapeRequests>(*this));
}

}  // namespace weir::agent::recording
