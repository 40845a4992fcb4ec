// What --app-metrics, --app-metrics-target and --app-metrics-interval ask for.
#pragma once

#include <memory>

#include "apps/scraper.h"
#include "base/clock.h"
#include "base/status.h"
#include "cmd/settings.h"

namespace weir::cmd {

// Not started yet. Null where no application is to be asked. kInvalid: a target or the interval. `clock` outlives it.
Result<std::unique_ptr<apps::Scraper>> ScraperOf(const Settings& settings, const Clock& clock);

}  // namespace weir::cmd
