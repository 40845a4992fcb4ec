// Grafana dashboards, made from the catalogue of metric families.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace weir {

// File name -> JSON, one for each of kDashboards in the source.
std::vector<std::pair<std::string, std::string>> Dashboards();

}  // namespace weir
