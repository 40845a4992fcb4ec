#include "agent/optional_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::agent {
namespace {

constexpr size_t kMaxAddresses = 16'384;  // of a batch
constexpr std::chrono::milliseconds kPollPeriod{100};

class SourceWithOptions final : public ForwardingSource {
 public:
  SourceWithOptions(std::unique_ptr<Source> main, std::vector<std::unique_ptr<OptionalSource>> options)
      : options_(std::move(options)), main_(std::move(main)) {}

  Status Start() override;
  void Poll() override;
  std::chrono::milliseconds poll_period() const override;
  Status Collect(Nanos now_monotonic, Collection& out) override;
  std::vector<model::ProbeReport> Probes() const override;
  GivenUpMask Dispensable() const override {
    GivenUpMask mask = main_->Dispensable();
    for (const auto& option : options_) mask |= option->Dispensable();
    return mask;
  }
  void Restrain(const Restraint& restraint) override {
    for (const auto& option : options_) option->Restrain(restraint);
    main_->Restrain(restraint);
  }
  kernel::ProgramTime KernelTime() const override {
    kernel::ProgramTime time = main_->KernelTime();
    for (const auto& option : options_) time.Add(option->KernelTime());
    return time;
  }

  void OnBatch(const model::AgentBatch& batch) override {
    for (const auto& option : options_) option->OnBatch(batch);
    main_->OnBatch(batch);
  }

 private:
  Source& inner() const override { return *main_; }

  const std::vector<std::unique_ptr<OptionalSource>> options_;
  const std::unique_ptr<Source> main_;  // may ask the options: destroyed first
};

Status SourceWithOptions::Start() {
  WEIR_RETURN_IF_ERROR(main_->Start());
  for (const auto& option : options_) option->Start();
  return Status::Ok();
}

void SourceWithOptions::Poll() {
  for (const auto& option : options_) option->Poll();
  main_->Poll();
}

std::chrono::milliseconds SourceWithOptions::poll_period() const {
  const std::chrono::milliseconds main = main_->poll_period();
  if (main.count() > 0) return main;
  const bool needed =
      std::any_of(options_.begin(), options_.end(), [](const auto& option) { return option->NeedsPolls(); });
  return needed ? kPollPeriod : main;
}

Status SourceWithOptions::Collect(Nanos now, Collection& out) {
  Collection added;
  for (const auto& option : options_) {
    Collection one;
    option->Collect(now, one);
    std::move(one.reports.begin(), one.reports.end(), std::back_inserter(added.reports));
    std::move(one.resolved.begin(), one.resolved.end(), std::back_inserter(added.resolved));
    std::vector<model::Address> all;
    std::set_union(added.local_addresses.begin(), added.local_addresses.end(), one.local_addresses.begin(),
                   one.local_addresses.end(), std::back_inserter(all));
    added.local_addresses = std::move(all);
  }
  Status status = main_->Collect(now, out);
  for (const auto& option : options_) option->Saw(out.reports);
  std::move(added.reports.begin(), added.reports.end(), std::back_inserter(out.reports));
  std::move(added.resolved.begin(), added.resolved.end(), std::back_inserter(out.resolved));
  std::vector<model::Address> all;
  std::set_union(out.local_addresses.begin(), out.local_addresses.end(), added.local_addresses.begin(),
                 added.local_addresses.end(), std::back_inserter(all));
  all.resize(std::min(all.size(), kMaxAddresses));
  out.local_addresses = std::move(all);
  return status;
}

std::vector<model::ProbeReport> SourceWithOptions::Probes() const {
  std::vector<model::ProbeReport> probes = main_->Probes();
  for (const auto& option : options_) {
    for (model::ProbeReport& probe : option->Probes()) probes.push_back(std::move(probe));
  }
  return probes;
}

}  // namespace

std::unique_ptr<Source> WithOptions(std::unique_ptr<Source> main,
                                    std::vector<std::unique_ptr<OptionalSource>> options) {
  if (options.empty()) return main;
  return std::make_unique<SourceWithOptions>(std::move(main), std::move(options));
}

}  // namespace weir::agent
