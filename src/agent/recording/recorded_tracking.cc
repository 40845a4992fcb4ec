#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/recording/recorded_tracking.h"

#include <cstring>
#include <type_traits>
#include <utility>

namespace weir::agent::recording {
namespace {

// Of a step, and what is remembered of those before it. 20,000 questions may be asked at once
// (nat/translation_table.h).
constexpr size_t kMaxAnswers = size_t{1} << 18;

void Put(const model::Address& address, uint8_t (&to)[16]) { std::memcpy(to, address.bytes.data(), sizeof(to)); }

model::Address AddressOf(const uint8_t (&bytes)[16]) {
  model::Address address;
  std::memcpy(address.bytes.data(), bytes, sizeof(bytes));
  return address;
}

// As of a connection nobody tracks.
nat::Followed NotFollowed(const flow::ClientEnds& ends) {
  nat::Followed followed;
  followed.client = ends.client;
  followed.server = ends.server;
  followed.server_port = ends.server_port;
  return followed;
}

class RecordingTracking final : public nat::ConnectionTracking {
 public:
  RecordingTracking(std::unique_ptr<nat::ConnectionTracking> inner, Writer& writer)
      : inner_(std::move(inner)), writer_(writer) {}

  bool Active() override {
    const bool active = inner_->Active();
    if (const auto after = active_.Given(0, writer_.step(), active, false)) {
      writer_.Put(FrameKind::kTracking, Observer::kTcp, TrackingFrame{active ? 1U : 0U, *after});
    }
    return active;
  }
  nat::Followed Follow(const flow::ClientEnds& ends, bool thorough) override;
  void RoundEnds() override { inner_->RoundEnds(); }
  model::ProbeReport Probe() const override { return inner_->Probe(); }

 private:
  const std::unique_ptr<nat::ConnectionTracking> inner_;
  Writer& writer_;
  ActiveLog active_;
  FollowedLog followed_;
};

nat::Followed RecordingTracking::Follow(const flow::ClientEnds& ends, bool thorough) {
  nat::Followed followed = inner_->Follow(ends, thorough);
  const auto after = followed_.Given(AskedConnection(ends), writer_.step(), followed, NotFollowed(ends));
  if (!after) return followed;
  FollowedFrame frame{};
  Put(ends.client, frame.client);
  Put(ends.server, frame.server);
  Put(followed.client, frame.seen_client);
  Put(followed.server, frame.reached);
  frame.netns = ends.netns;
  frame.after = *after;
  frame.questions = followed.questions;
  frame.client_port = ends.client_port;
  frame.server_port = ends.server_port;
  frame.reached_port = followed.server_port;
  frame.protocol = static_cast<uint8_t>(ends.protocol);
  frame.found = static_cast<uint8_t>((followed.found ? 1 : 0) | (followed.is_another ? 2 : 0));
  writer_.Put(FrameKind::kFollowed, Observer::kTcp, frame);
  return followed;
}

class ReplayedTracking final : public nat::ConnectionTracking {
 public:
  explicit ReplayedTracking(TrackingAnswers& answers) : answers_(answers) {}
  bool Active() override { return answers_.Active(); }
  nat::Followed Follow(const flow::ClientEnds& ends, bool) override { return answers_.Follow(ends); }
  void RoundEnds() override {}
  model::ProbeReport Probe() const override { return {}; }  // a batch has its own

 private:
  TrackingAnswers& answers_;
};

}  // namespace

AskedConnection::AskedConnection(const flow::ClientEnds& ends)
    : client(ends.client),
      server(ends.server),
      netns(ends.netns),
      client_port(ends.client_port),
      server_port(ends.server_port),
      protocol(static_cast<uint32_t>(ends.protocol)) {}

AskedConnection::AskedConnection(const FollowedFrame& frame)
    : client(AddressOf(frame.client)),
      server(AddressOf(frame.server)),
      netns(frame.netns),
      client_port(frame.client_port),
      server_port(frame.server_port),
      protocol(frame.protocol) {}

size_t AskedConnectionHash::operator()(const AskedConnection& connection) const {
  static_assert(std::has_unique_object_representations_v<AskedConnection>, "hashed as bytes");
  return XXH3_64bits(&connection, sizeof(connection));
}

void TrackingAnswers::BeginStep() {
  active_.BeginStep();
  followed_.BeginStep();
}

bool TrackingAnswers::Take(const Frame& frame) {
  if (active_.size() + followed_.size() > kMaxAnswers) return false;
  if (frame.kind == FrameKind::kTracking) {
    TrackingFrame tracking{};
    std::memcpy(&tracking, frame.payload.data(), sizeof(tracking));
    active_.Put(0, tracking.after, tracking.active != 0);
    return true;
  }
  FollowedFrame followed{};
  std::memcpy(&followed, frame.payload.data(), sizeof(followed));
  nat::Followed answer;
  answer.found = (followed.found & 1) != 0;
  answer.is_another = (followed.found & 2) != 0;
  answer.client = AddressOf(followed.seen_client);
  answer.server = AddressOf(followed.reached);
  answer.server_port = followed.reached_port;
  answer.questions = followed.questions;
  followed_.Put(AskedConnection(followed), followed.after, answer);
  return true;
}

nat::Followed TrackingAnswers::Follow(const flow::ClientEnds& ends) {
  return followed_.Ask(AskedConnection(ends), NotFollowed(ends));
}

std::unique_ptr<nat::ConnectionTracking> RecordTracking(std::unique_ptr<nat::ConnectionTracking> inner,
                                                        Writer& writer) {
  return std::make_unique<RecordingTracking>(std::move(inner), writer);
}

std::unique_ptr<nat::ConnectionTracking> ReplayTracking(TrackingAnswers& answers) {
  return std::make_unique<ReplayedTracking>(answers);
}

}  // namespace weir::agent::recording
