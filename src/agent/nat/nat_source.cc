#include "agent/nat/nat_source.h"

#include <optional>

#include "agent/nat/connection_tracking.h"
#include "agent/nat/translation_table.h"

namespace weir::agent::nat {
namespace {

class KernelNatSource final : public NatSource, private flow::AddressTranslations {
 public:
  explicit KernelNatSource(const Clock& clock) : clock_(clock) {}

  flow::AddressTranslations& translations() override { return *this; }

  // On the agent's loop, whose network namespace becomes the source's own.
  void Start() override {
    tracking_.emplace(clock_);
    table_.emplace(*tracking_, clock_);
  }
  void Poll() override {}
  void Collect(Nanos, Collection&) override {}
  std::vector<model::ProbeReport> Probes() const override {
    if (!tracking_) return {};
    return {tracking_->Probe()};
  }

 private:
  // The main source starts first and may already have records: they wait until there is somebody to ask.
  flow::Translation Find(const flow::ClientEnds& ends) override {
    return table_ ? table_->Find(ends) : flow::Translation::Later();
  }
  void RoundEnds() override {
    if (table_) table_->RoundEnds();
  }

  const Clock& clock_;
  std::optional<KernelTracking> tracking_;
  std::optional<TranslationTable> table_;
};

}  // namespace

std::unique_ptr<NatSource> MakeNatSource(const Clock& clock) { return std::make_unique<KernelNatSource>(clock); }

}  // namespace weir::agent::nat
