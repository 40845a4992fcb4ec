#include "agent/optional_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::agent {
namespace {

using testing::ElementsAre;

model::Address At(const char* text) { return *model::Address::Parse(text); }

// Writes down what is asked of it.
class Option final : public OptionalSource {
 public:
  Option(std::string name, std::vector<std::string>& calls) : name_(std::move(name)), calls_(calls) {}
  void Start() override { calls_.push_back(name_ + " start"); }
  void Poll() override { calls_.push_back(name_ + " poll"); }
  bool NeedsPolls() const override { return needs_polls; }
  void Collect(Nanos, Collection& out) override {
    calls_.push_back(name_ + " collect");
    out.reports.emplace_back().ends.server_port = 53;
    out.local_addresses = {At("10.0.0.1"), At("10.0.0.3")};
  }
  std::vector<model::ProbeReport> Probes() const override { return {{name_, "on", "", ""}}; }
  GivenUpMask Dispensable() const override { return 2; }
  void Restrain(const Restraint&) override { calls_.push_back(name_ + " restrain"); }
  void OnBatch(const model::AgentBatch& batch) override { calls_.push_back(name_ + " batch " + batch.node); }

  bool needs_polls = true;

 private:
  const std::string name_;
  std::vector<std::string>& calls_;
};

class Main final : public Source {
 public:
  Main(Status starts, std::vector<std::string>& calls) : starts_(std::move(starts)), calls_(calls) {}
  std::string_view mode() const override { return "main"; }
  Status Start() override {
    calls_.push_back("main start");
    return starts_;
  }
  void Poll() override { calls_.push_back("main poll"); }
  std::chrono::milliseconds poll_period() const override { return period; }
  int wake_fd() const override { return 5; }
  Status Collect(Nanos, Collection& out) override {
    calls_.push_back("main collect");
    out.reports.emplace_back().ends.server_port = 80;
    out.local_addresses = {At("10.0.0.2"), At("10.0.0.3")};
    return Status::Unavailable("half of it");
  }
  std::vector<model::ProbeReport> Probes() const override { return {{"main", "on", "", ""}}; }
  GivenUpMask Dispensable() const override { return 1; }
  void Restrain(const Restraint&) override { calls_.push_back("main restrain"); }
  kernel::ProgramTime KernelTime() const override {
    kernel::ProgramTime time;
    time.runs = 7;
    return time;
  }
  void OnBatch(const model::AgentBatch& batch) override { calls_.push_back("main batch " + batch.node); }

  std::chrono::milliseconds period{70};

 private:
  const Status starts_;
  std::vector<std::string>& calls_;
};

std::unique_ptr<Source> Make(Status starts, std::vector<std::string>& calls) {
  std::vector<std::unique_ptr<OptionalSource>> options;
  options.push_back(std::make_unique<Option>("a", calls));
  options.push_back(std::make_unique<Option>("b", calls));
  return WithOptions(std::make_unique<Main>(std::move(starts), calls), std::move(options));
}

TEST(OptionalSource, StartsAfterTheMainSourceAndAnswersWithIt) {
  std::vector<std::string> calls;
  const auto source = Make(Status::Ok(), calls);
  EXPECT_TRUE(source->Start().ok());
  source->Poll();
  Collection out;
  const Status status = source->Collect(1, out);
  EXPECT_EQ(status.message(), "half of it");
  EXPECT_THAT(calls, ElementsAre("main start", "a start", "b start", "a poll", "b poll", "main poll", "a collect",
                                 "b collect", "main collect"));
  ASSERT_EQ(out.reports.size(), 3U);
  EXPECT_EQ(out.reports.front().ends.server_port, 80);
  EXPECT_THAT(out.local_addresses, ElementsAre(At("10.0.0.1"), At("10.0.0.2"), At("10.0.0.3")));
  EXPECT_EQ(source->Probes().size(), 3U);
  EXPECT_EQ(source->mode(), "main");
  EXPECT_EQ(source->poll_period().count(), 70);
}

TEST(OptionalSource, IsPolledAlthoughTheMainSourceWaitsToBeWoken) {
  std::vector<std::string> calls;
  for (const bool needed : {false, true}) {
    auto main = std::make_unique<Main>(Status::Ok(), calls);
    auto option = std::make_unique<Option>("a", calls);
    main->period = std::chrono::milliseconds(0);
    option->needs_polls = needed;
    std::vector<std::unique_ptr<OptionalSource>> options;
    options.push_back(std::move(option));
    EXPECT_EQ(WithOptions(std::move(main), std::move(options))->poll_period().count(), needed ? 100 : 0);
  }
}

// Hands on everything and changes nothing.
class Around final : public ForwardingSource {
 public:
  explicit Around(std::unique_ptr<Source> source) : source_(std::move(source)) {}

 private:
  Source& inner() const override { return *source_; }
  const std::unique_ptr<Source> source_;
};

TEST(ForwardingSource, EveryCallGoesThrough) {
  std::vector<std::string> calls;
  Around source(Make(Status::Ok(), calls));
  EXPECT_TRUE(source.Start().ok());
  source.Poll();
  Collection out;
  EXPECT_FALSE(source.Collect(1, out).ok());
  EXPECT_EQ(source.mode(), "main");
  EXPECT_EQ(source.poll_period().count(), 70);
  EXPECT_EQ(source.wake_fd(), 5);
  EXPECT_EQ(source.Probes().size(), 3U);
  EXPECT_EQ(source.Dispensable(), 3U);
  EXPECT_EQ(source.KernelTime().runs, 7U);
  calls.clear();
  source.Restrain(Restraint());
  model::AgentBatch batch;
  batch.node = "n1";
  source.OnBatch(batch);
  EXPECT_THAT(calls,
              ElementsAre("a restrain", "b restrain", "main restrain", "a batch n1", "b batch n1", "main batch n1"));
}

TEST(OptionalSource, IsNotStartedWhereTheMainSourceIsNot) {
  std::vector<std::string> calls;
  EXPECT_FALSE(Make(Status::Denied("no"), calls)->Start().ok());
  EXPECT_THAT(calls, ElementsAre("main start"));
}

TEST(OptionalSource, WithoutOptionsTheMainSourceIsItself) {
  std::vector<std::string> calls;
  auto main = std::make_unique<Main>(Status::Ok(), calls);
  const Source* const same = main.get();
  EXPECT_EQ(WithOptions(std::move(main), {}).get(), same);
}

}  // namespace
}  // namespace weir::agent
