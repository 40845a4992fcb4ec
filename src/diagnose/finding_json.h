// Findings and health indicators as JSON: one form for the store, which is read back, and for the API, which differs in
// how times are written and in what is added for people (titles and filters).
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "diagnose/detect_health.h"
#include "diagnose/finding.h"

namespace weir::diagnose {

using Json = nlohmann::ordered_json;

// How the JSON is to be read.
struct JsonForm {
  Json (*time)(UnixMillis) = nullptr;  // null: Unix milliseconds
  bool for_people = false;             // with titles, filters and descriptions
};

// Ids are 53 bits; in JSON and on command lines they are 14 hexadecimal digits.
std::string IdText(uint64_t id);
// 0 when the text is none.
uint64_t ParseId(std::string_view text);

Json ToJson(const Subject& subject, const JsonForm& form);
Json ToJson(const Finding& finding, const JsonForm& form);
Json ToJson(const HealthIndicator& indicator, const JsonForm& form);
Json ToJson(const Evidence& evidence, const JsonForm& form);
Json ToJson(const Involved& involved, const JsonForm& form);
Json ToJson(const StartupStep& step, const JsonForm& form);

// The stored form of ToJson(), without title and filter. Bytes that are not UTF-8 become U+FFFD.
std::string StoredText(const Finding& finding);
std::string StoredText(const HealthIndicator& indicator);
// Reads back what StoredText() wrote, of this or another version: what it does not know it leaves out, what is missing
// has its default. kCorrupt when it is no finding.
Result<Finding> FindingFrom(std::string_view text);
Result<HealthIndicator> IndicatorFrom(std::string_view text);

}  // namespace weir::diagnose
