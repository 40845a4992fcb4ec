#include "agent/recording/recorder.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "agent/recording/answers.h"
#include "agent/recording/recorded_tracking.h"
#include "agent/recording/redact.h"
#include "agent/recording/writer.h"

namespace weir::agent::recording {
namespace {

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

class RecordingClock final : public Clock {
 public:
  RecordingClock(const Clock& clock, Writer& writer) : clock_(clock), writer_(writer) {}
  Nanos WallNanos() const override { return clock_.WallNanos(); }  // no source asks
  Nanos MonotonicNanos() const override {
    const Nanos now = clock_.MonotonicNanos();
    writer_.Put(FrameKind::kClock, Observer::kTcp, now);
    return now;
  }

 private:
  const Clock& clock_;
  Writer& writer_;
};

struct OwnerQuestion {
  uint64_t cgroup_id;
  uint64_t pid;
  bool operator==(const OwnerQuestion&) const = default;
};
struct OwnerHash {
  size_t operator()(const OwnerQuestion& key) const { return std::hash<uint64_t>()(key.cgroup_id ^ (key.pid << 40)); }
};

class RecordingIdentities final : public identity::Identities {
 public:
  RecordingIdentities(std::unique_ptr<identity::Identities> inner, Observer observer, Writer& writer)
      : inner_(std::move(inner)), observer_(observer), writer_(writer) {
    AskProcesses(inner_->asks_processes());
  }
  std::shared_ptr<const identity::CgroupName> NameOf(uint64_t owner) override;
  std::shared_ptr<const std::string> NetnsNameOf(uint32_t inode) override;
  Groups groups() const override { return inner_->groups(); }
  bool misses_processes() const override { return inner_->misses_processes(); }

 private:
  uint64_t OwnerByProcess(uint64_t cgroup_id, uint32_t pid) override;
  void ExpireAnswers() override { inner_->Expire(); }

  const std::unique_ptr<identity::Identities> inner_;
  const Observer observer_;
  Writer& writer_;
  AnswerLog<OwnerQuestion, uint64_t, OwnerHash> owners_;
  AnswerLog<uint64_t, identity::CgroupName> names_;
  AnswerLog<uint32_t, std::string> netns_names_;
};

uint64_t RecordingIdentities::OwnerByProcess(uint64_t cgroup_id, uint32_t pid) {
  const uint64_t owner = inner_->OwnerOf(cgroup_id, pid);
  if (const auto after = owners_.Given({cgroup_id, pid}, writer_.step(), owner, cgroup_id)) {
    writer_.Put(FrameKind::kOwner, observer_, OwnerFrame{cgroup_id, owner, pid, *after});
  }
  return owner;
}

std::shared_ptr<const identity::CgroupName> RecordingIdentities::NameOf(uint64_t owner) {
  auto name = inner_->NameOf(owner);
  if (const auto after = names_.Given(owner, writer_.step(), *name, {})) {
    const NameFrame frame{owner, *after, static_cast<uint16_t>(name->container.size()),
                          static_cast<uint16_t>(name->unit.size())};
    const std::string more = name->pod_uid + '\0' + name->container_name + '\0' + name->image + '\0';
    writer_.Put(FrameKind::kName, observer_, {BytesOf(frame), name->container, name->unit, more});
  }
  return name;
}

std::shared_ptr<const std::string> RecordingIdentities::NetnsNameOf(uint32_t inode) {
  auto name = inner_->NetnsNameOf(inode);
  if (const auto after = netns_names_.Given(inode, writer_.step(), *name, {})) {
    writer_.Put(FrameKind::kNetnsName, observer_, NetnsFrame{inode, *after}, *name);
  }
  return name;
}

// Records stand before the answers that are asked for them.
class RecordingSink final : public kernel::RecordSink {
 public:
  RecordingSink(kernel::RecordSink& next, Writer& writer) : next_(next), writer_(writer) {}
  void OnRecord(const weir_record& record) override {
    writer_.Put(FrameKind::kRecord, Observer::kTcp, record);
    next_.OnRecord(record);
  }

 private:
  kernel::RecordSink& next_;
  Writer& writer_;
};

class RecordingSockets final : public kernel::SocketTracker {
 public:
  RecordingSockets(std::unique_ptr<kernel::SocketTracker> inner, Writer& writer)
      : inner_(std::move(inner)), writer_(writer) {}

  void DrainRing(kernel::RecordSink& sink) override {
    RecordingSink recording(sink, writer_);
    inner_->DrainRing(recording);
  }
  Status Snapshot(bool complete, kernel::RecordSink& sink) override {
    RecordingSink recording(sink, writer_);
    Status status = inner_->Snapshot(complete, recording);
    writer_.Put(FrameKind::kSnapshotEnd, Observer::kTcp, StatusFrame{static_cast<uint32_t>(status.code()), 0},
                status.message());
    return status;
  }
  Status ReadExisting() override {
    Status status = inner_->ReadExisting();
    writer_.Put(FrameKind::kExisting, Observer::kTcp, StatusFrame{static_cast<uint32_t>(status.code()), 0},
                status.message());
    return status;
  }
  kernel::KernelLosses Losses() override {
    const kernel::KernelLosses now = inner_->Losses();
    const LossesFrame frame{now.map_full, now.ring_full, now.ring_full_bytes, now.stale, now.arrivals_full};
    if (std::memcmp(&frame, &losses_, sizeof(frame)) != 0) writer_.Put(FrameKind::kLosses, Observer::kTcp, frame);
    losses_ = frame;
    return now;
  }
  void OnReceiveLoss(std::span<const uint64_t> cgroup_ids, Nanos now) override {
    inner_->OnReceiveLoss(cgroup_ids, now);
  }
  void SuspendArrivals(bool suspended) override { inner_->SuspendArrivals(suspended); }
  void LearnHolders(const std::set<uint16_t>& ports) override { inner_->LearnHolders(ports); }
  int ring_fd() const override { return inner_->ring_fd(); }
  void WakeForRecords(bool wake) override { inner_->WakeForRecords(wake); }
  kernel::ProgramTime Programs() const override { return inner_->Programs(); }

 private:
  const std::unique_ptr<kernel::SocketTracker> inner_;
  Writer& writer_;
  LossesFrame losses_{};
};

class RecordingUdp final : public udp::UdpTracker {
 public:
  RecordingUdp(std::unique_ptr<udp::UdpTracker> inner, Writer& writer) : inner_(std::move(inner)), writer_(writer) {}

  Status ReadPairs(const OnPair& on_pair) override {
    return inner_->ReadPairs([&](const weir_udp_key& key, const weir_udp_flow& flow) {
      writer_.Put(FrameKind::kPair, Observer::kUdp, key, BytesOf(flow));
      on_pair(key, flow);
    });
  }
  bool Forget(const weir_udp_key& key, weir_udp_flow& last) override {
    if (!inner_->Forget(key, last)) {
      writer_.Put(FrameKind::kNotForgotten, Observer::kUdp, {});
      return false;
    }
    writer_.Put(FrameKind::kForgotten, Observer::kUdp, key, BytesOf(last));
    return true;
  }
  void DrainDns(const std::function<void(const weir_dns_message&)>& on_message) override {
    inner_->DrainDns([&](const weir_dns_message& message) {
      writer_.Put(FrameKind::kDnsMessage, Observer::kUdp, message);
      on_message(message);
    });
  }
  udp::UdpLosses Losses() override { return inner_->Losses(); }
  uint32_t max_pairs() const override { return inner_->max_pairs(); }
  bool sees_machine() const override { return inner_->sees_machine(); }
  kernel::ProgramTime Programs() const override { return inner_->Programs(); }

 private:
  const std::unique_ptr<udp::UdpTracker> inner_;
  Writer& writer_;
};

class RecordingSteps final : public requests::StepSink {
 public:
  RecordingSteps(requests::StepSink& next, Writer& writer) : next_(next), writer_(writer) {}
  void OnHead(const weir_step_head& head) override {
    weir_step_head kept = head;
    Redact(kept);
    writer_.Put(FrameKind::kStepHead, Observer::kRequests, kept);
    next_.OnHead(head);
  }
  void OnStep(const weir_step& step) override {
    weir_step kept = step;
    Redact(kept);
    writer_.Put(FrameKind::kStepOther, Observer::kRequests, kept);
    next_.OnStep(step);
  }
  // Header blocks hold whatever strangers said, and cannot be blanked in part: the step stays, its text does not.
  void OnBlock(const weir_step_block& block) override {
    writer_.Put(FrameKind::kStepOther, Observer::kRequests, block.step);
    next_.OnBlock(block);
  }
  void OnHello(const weir_step_hello& hello) override {
    writer_.Put(FrameKind::kStepHello, Observer::kRequests, hello);
    next_.OnHello(hello);
  }

 private:
  requests::StepSink& next_;
  Writer& writer_;
};

class RecordingRequests final : public requests::RequestProbe {
 public:
  RecordingRequests(std::unique_ptr<requests::RequestProbe> inner, Writer& writer)
      : inner_(std::move(inner)), writer_(writer) {}
  void Drain(requests::StepSink& sink) override {
    RecordingSteps recording(sink, writer_);
    inner_->Drain(recording);
  }
  requests::RequestLosses Losses() override { return inner_->Losses(); }
  void ForgetPorts(bool all) override { inner_->ForgetPorts(all); }
  void Unfollow(uint64_t socket, uint64_t secured_ns) override { inner_->Unfollow(socket, secured_ns); }
  requests::RequestHooks Hooks() const override { return inner_->Hooks(); }
  Status AcceptWaits() const override { return inner_->AcceptWaits(); }
  kernel::ProgramTime Programs() const override { return inner_->Programs(); }

 private:
  const std::unique_ptr<requests::RequestProbe> inner_;
  Writer& writer_;
};

class RecordingOrigin final : public Origin {
 public:
  RecordingOrigin(std::unique_ptr<Origin> inner, Writer& writer)
      : inner_(std::move(inner)), writer_(writer), clock_(inner_->clock(), writer) {}

  const Clock& clock() const override { return clock_; }
  source::Surroundings SurroundingsOf(Observer observer) override;
  Result<std::unique_ptr<kernel::SocketTracker>> OpenSockets(const kernel::KernelOptions& options,
                                                             std::vector<model::ProbeReport>& probes) override {
    return Recorded<RecordingSockets>(inner_->OpenSockets(options, probes), Observer::kTcp, 0);
  }
  Result<std::unique_ptr<udp::UdpTracker>> OpenUdp(const udp::UdpTrackerOptions& options) override {
    auto opened = inner_->OpenUdp(options);
    const uint32_t max_pairs = opened.ok() ? (*opened)->max_pairs() : 0;
    return Recorded<RecordingUdp>(std::move(opened), Observer::kUdp, max_pairs);
  }
  Result<std::unique_ptr<requests::RequestProbe>> OpenRequests(const requests::RequestProbeOptions& options) override {
    return Recorded<RecordingRequests>(inner_->OpenRequests(options), Observer::kRequests, 0);
  }
  std::unique_ptr<nat::ConnectionTracking> OpenTracking() override {
    return RecordTracking(inner_->OpenTracking(), writer_);
  }

 private:
  template <typename Recording, typename T>
  Result<std::unique_ptr<T>> Recorded(Result<std::unique_ptr<T>> opened, Observer observer, uint32_t max_pairs) {
    const OpenedFrame frame{static_cast<uint32_t>(opened.status().code()), max_pairs};
    writer_.Put(FrameKind::kOpened, observer, frame, opened.status().message());
    if (!opened.ok()) return opened.status();
    return std::unique_ptr<T>(std::make_unique<Recording>(*std::move(opened), writer_));
  }

  const std::unique_ptr<Origin> inner_;
  Writer& writer_;
  const RecordingClock clock_;
};

source::Surroundings RecordingOrigin::SurroundingsOf(Observer observer) {
  source::Surroundings surroundings = inner_->SurroundingsOf(observer);
  surroundings.identities =
      std::make_unique<RecordingIdentities>(std::move(surroundings.identities), observer, writer_);
  surroundings.interface_addresses = [this, observer, read = std::move(surroundings.interface_addresses)] {
    std::vector<model::Address> addresses = read();
    const std::string_view bytes(reinterpret_cast<const char*>(addresses.data()),
                                 addresses.size() * sizeof(model::Address));
    writer_.Put(FrameKind::kInterfaces, observer, {bytes});
    return addresses;
  };
  return surroundings;
}

class Recorder final : public ForwardingSource {
 public:
  Recorder(std::unique_ptr<Writer> writer, std::function<void()> on_thread, const ObserveOptions& options,
           std::unique_ptr<Origin> origin)
      : clock_(origin->clock()),
        on_thread_(std::move(on_thread)),
        writer_(std::move(writer)),
        origin_(std::move(origin), *writer_) {
    writer_->BeginStep(Step::kStart, clock_.MonotonicNanos());
    source_ = MakeObserver(options, origin_);
  }
  ~Recorder() override { writer_->Finish(); }

  Status Start() override {
    writer_->Start(on_thread_);
    return source_->Start();
  }
  void Poll() override {
    writer_->BeginStep(Step::kPoll, clock_.MonotonicNanos());
    source_->Poll();
  }
  Status Collect(Nanos now, Collection& out) override {
    writer_->BeginStep(Step::kCollect, now);
    return source_->Collect(now, out);
  }
  void Restrain(const Restraint& restraint) override {
    writer_->Put(FrameKind::kRestraint, Observer::kTcp, restraint.mask());
    source_->Restrain(restraint);
  }
  void OnBatch(const model::AgentBatch& batch) override {
    writer_->PutBatch(batch);
    source_->OnBatch(batch);
  }
  std::vector<model::ProbeReport> Probes() const override {
    std::vector<model::ProbeReport> probes = source_->Probes();
    probes.push_back(writer_->Probe());
    return probes;
  }

 private:
  Source& inner() const override { return *source_; }

  const Clock& clock_;  // of the origin beneath, which lives in origin_
  const std::function<void()> on_thread_;
  const std::unique_ptr<Writer> writer_;
  RecordingOrigin origin_;
  std::unique_ptr<Source> source_;
};

}  // namespace

Result<std::unique_ptr<Source>> MakeRecorder(RecordOptions recording, Header header, const ObserveOptions& options,
                                             std::unique_ptr<Origin> origin) {
  header.observed = options;
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer, Writer::Create(recording.file, recording.limit_bytes, header));
  return std::unique_ptr<Source>(
      std::make_unique<Recorder>(std::move(writer), std::move(recording.on_thread), options, std::move(origin)));
}

}  // namespace weir::agent::recording
