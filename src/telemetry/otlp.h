// What metrics and log records share on their way out by OTLP/HTTP (opentelemetry.io/docs/specs/otlp).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "base/version.h"
#include "foreign/otlp.pb.h"

namespace weir::telemetry {

// Of the sender: service.name and others, by OpenTelemetry's names. Values of "" are left out.
using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

template <typename Message>
void AddText(Message& message, std::string_view key, std::string_view value) {
  otlp::Attribute* attribute = message.add_attributes();
  attribute->set_key(key.data(), key.size());
  AppendValid(*attribute->mutable_value()->mutable_text(), value);
}

template <typename Message>
void AddInteger(Message& message, std::string_view key, int64_t value) {
  otlp::Attribute* attribute = message.add_attributes();
  attribute->set_key(key.data(), key.size());
  attribute->mutable_value()->set_integer(value);
}

// Of a ResourceMetrics or ResourceLogs.
template <typename Part>
void AddResource(Part& part, const ResourceAttributes& attributes) {
  for (const auto& [key, value] : attributes) {
    if (!value.empty()) AddText(*part.mutable_resource(), key, value);
  }
}

template <typename Part>
void SetScope(Part& part) {
  part.mutable_scope()->set_name("weir");
  part.mutable_scope()->set_version(std::string(kVersion));
}

}  // namespace weir::telemetry
