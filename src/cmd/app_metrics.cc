#include "cmd/app_metrics.h"

#include <utility>
#include <vector>

namespace weir::cmd {
namespace {

constexpr std::chrono::milliseconds kShortestInterval{1'000};

}  // namespace

Result<std::unique_ptr<apps::Scraper>> ScraperOf(const Settings& settings, const Clock& clock) {
  apps::ScraperOptions options;
  options.pods = settings.Text("app-metrics") == "auto";
  options.period = settings.Duration("app-metrics-interval");
  if (options.period < kShortestInterval)
    return Status::Invalid("--app-metrics-interval is too short; give 1s or more");
  Result<std::vector<apps::Target>> targets = apps::ParseTargets(settings.Text("app-metrics-target"));
  if (!targets.ok()) return targets.status().Annotate("--app-metrics-target");
  if (!options.pods && targets->empty()) return std::unique_ptr<apps::Scraper>();
  auto scraper = std::make_unique<apps::Scraper>(options, apps::InferenceServers::Shipped(), clock);
  for (apps::Target& target : *targets) scraper->Put(std::move(target));
  return scraper;
}

}  // namespace weir::cmd
