// Alerting rules of Prometheus about Weir itself, made from the metric catalogue.
#pragma once

#include <string>

namespace weir {

// A rule file with one alert for each counter that means lost data or a fault.
std::string AlertRules();

}  // namespace weir
