#include "agent/nat/nat_source.h"

#include <optional>
#include <utility>

#include "agent/nat/translation_table.h"

namespace weir::agent::nat {
namespace {

class TrackingNatSource final : public NatSource, private flow::AddressTranslations {
 public:
  TrackingNatSource(OpenConnectionTracking open, const Clock& clock) : open_(std::move(open)), clock_(clock) {}

  flow::AddressTranslations& translations() override { return *this; }

  void Start() override {
    tracking_ = open_();
    table_.emplace(*tracking_, clock_);
  }
  void Poll() override {}
  bool NeedsPolls() const override { return false; }
  void Collect(Nanos, Collection&) override {}
  std::vector<model::ProbeReport> Probes() const override {
    if (tracking_ == nullptr) return {};
    return {tracking_->Probe()};
  }

 private:
  // The main source starts first and may already have records: they wait until there is somebody to ask.
  flow::Translation Find(const flow::ClientEnds& ends) override {
    return table_ ? table_->Find(ends) : flow::Translation::Later();
  }
  bool Active() override { return table_ && table_->Active(); }
  void RoundEnds() override {
    if (table_) table_->RoundEnds();
  }

  const OpenConnectionTracking open_;
  const Clock& clock_;
  std::unique_ptr<ConnectionTracking> tracking_;
  std::optional<TranslationTable> table_;
};

}  // namespace

std::unique_ptr<NatSource> MakeNatSource(OpenConnectionTracking open, const Clock& clock) {
  return std::make_unique<TrackingNatSource>(std::move(open), clock);
}

std::unique_ptr<NatSource> MakeNatSource(const Clock& clock) {
  return MakeNatSource([&clock] { return std::make_unique<KernelTracking>(clock); }, clock);
}

}  // namespace weir::agent::nat
