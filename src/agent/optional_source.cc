#include "agent/optional_source.h"

#include <utility>

namespace weir::agent {
namespace {

class SourceWithOptions final : public Source {
 public:
  SourceWithOptions(std::unique_ptr<Source> main, std::vector<std::unique_ptr<OptionalSource>> options)
      : options_(std::move(options)), main_(std::move(main)) {}

  std::string_view mode() const override { return main_->mode(); }
  std::chrono::milliseconds poll_period() const override { return main_->poll_period(); }
  Status Start() override {
    WEIR_RETURN_IF_ERROR(main_->Start());
    for (const auto& option : options_) option->Start();
    return Status::Ok();
  }
  void Poll() override {
    for (const auto& option : options_) option->Poll();
    main_->Poll();
  }
  Status Collect(Nanos now, Collection& out) override {
    Collection added;
    for (const auto& option : options_) option->Collect(now, added);
    Status status = main_->Collect(now, out);
    // Behind the main source's: what it makes of its own reports is about connections.
    std::move(added.reports.begin(), added.reports.end(), std::back_inserter(out.reports));
    return status;
  }
  std::vector<model::ProbeReport> Probes() const override {
    std::vector<model::ProbeReport> probes = main_->Probes();
    for (const auto& option : options_) {
      for (model::ProbeReport& probe : option->Probes()) probes.push_back(std::move(probe));
    }
    return probes;
  }

 private:
  const std::vector<std::unique_ptr<OptionalSource>> options_;
  const std::unique_ptr<Source> main_;  // may ask the options for names: it is destroyed first
};

}  // namespace

std::unique_ptr<Source> WithOptions(std::unique_ptr<Source> main,
                                    std::vector<std::unique_ptr<OptionalSource>> options) {
  if (options.empty()) return main;
  return std::make_unique<SourceWithOptions>(std::move(main), std::move(options));
}

}  // namespace weir::agent
