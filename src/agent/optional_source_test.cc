#include "agent/optional_source.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace weir::agent {
namespace {

class NoisySource final : public Source {
 public:
  NoisySource(std::string& log, Status start) : log_(log), start_(std::move(start)) {}
  ~NoisySource() override { log_ += "~main "; }
  std::string_view mode() const override { return "ebpf"; }
  Status Start() override { return log_ += "main ", start_; }
  void Poll() override { log_ += "poll "; }
  std::chrono::milliseconds poll_period() const override { return std::chrono::milliseconds(100); }
  Status Collect(Nanos, Collection& out) override {
    EXPECT_TRUE(out.reports.empty()) << "the main source sees its own reports only";
    out.reports.emplace_back();
    return Status::Ok();
  }
  std::vector<model::ProbeReport> Probes() const override { return {{"main", "on", "", ""}}; }

 private:
  std::string& log_;
  const Status start_;
};

class NoisyOption final : public OptionalSource {
 public:
  explicit NoisyOption(std::string& log) : log_(log) {}
  ~NoisyOption() override { log_ += "~option "; }
  void Start() override { log_ += "option "; }
  void Poll() override { log_ += "option_poll "; }
  void Collect(Nanos, Collection& out) override { out.reports.emplace_back().request.application = "http1"; }
  std::vector<model::ProbeReport> Probes() const override { return {{"option", "on", "", ""}}; }

 private:
  std::string& log_;
};

std::unique_ptr<Source> Both(std::string& log, Status start) {
  std::vector<std::unique_ptr<OptionalSource>> options;
  options.push_back(std::make_unique<NoisyOption>(log));
  return WithOptions(std::make_unique<NoisySource>(log, std::move(start)), std::move(options));
}

TEST(OptionalSourceTest, RunsBesideTheMainSourceAndOutlivesIt) {
  std::string log;
  auto source = Both(log, Status::Ok());
  EXPECT_EQ(source->mode(), "ebpf");
  EXPECT_TRUE(source->Start().ok());
  source->Poll();
  Collection out;
  EXPECT_TRUE(source->Collect(0, out).ok());
  ASSERT_EQ(out.reports.size(), 2U);
  EXPECT_EQ(out.reports[1].request.application, "http1");
  EXPECT_EQ(source->Probes().size(), 2U);
  source.reset();
  EXPECT_EQ(log, "main option option_poll poll ~main ~option ");
}

TEST(OptionalSourceTest, IsNotStartedWhereTheMainSourceCannot) {
  std::string log;
  auto source = Both(log, Status::Unsupported("old kernel"));
  EXPECT_FALSE(source->Start().ok());
  EXPECT_EQ(log, "main ");
}

}  // namespace
}  // namespace weir::agent
