// Findings, loads, indicators and answers to why as JSON. Pure.
#pragma once

#include <memory>

#include "api/json.h"
#include "api/routes.h"
#include "diagnose/finding_json.h"
#include "diagnose/why.h"
#include "server/diagnosis_view.h"
#include "store/finding_store.h"

namespace weir::api {

// Times as all answers have them, titles and filters beside the names.
diagnose::JsonForm ApiForm();

// The judge's present state; an empty one where nobody judges.
std::shared_ptr<const server::DiagnosisView> ViewOf(const Service& service);

// Stored texts read back; what cannot be read is left out and logged at a limited rate.
std::vector<diagnose::Finding> Read(const store::Findings& found);

Json FindingsJson(const store::TimeRange& range, const store::Findings& found,
                  const std::shared_ptr<const server::DiagnosisView>& view);
// `others`: breaches and starts of the same time, to say which belong to a load.
Json LoadsJson(const store::TimeRange& range, const store::Findings& loads, const store::Findings& others);
Json HealthJson(const store::IndicatorQuery& query, const store::Indicators& found,
                const std::shared_ptr<const server::DiagnosisView>& view);
Json WhyJson(const diagnose::WhyFacts& facts, const diagnose::WhyAnswer& answer, double elapsed_ms);

}  // namespace weir::api
