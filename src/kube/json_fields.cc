#include "kube/json_fields.h"

#include <algorithm>
#include <charconv>

#include "base/metrics.h"
#include "kube/decode.h"
#include "kube/timestamp.h"

namespace weir::kube {
namespace {

// `text` without a UTF-8 sequence that the cut would split.
std::string_view CutText(std::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

// About topology, or about where numbers of a pod can be read.
bool IsKept(std::string_view annotation) {
  return annotation.starts_with("service.kubernetes.io/topology-") || annotation.starts_with("prometheus.io/");
}

void KeepLabel(std::string_view key, JsonValue value, std::map<std::string, std::string>& labels) {
  const std::string_view text = value.get_string();
  if (labels.size() < kMaxLabels && key.size() <= kMaxLabelKeyBytes && text.size() <= kMaxLabelBytes) {
    labels.emplace(key, text);
  } else {
    Count(Metric::kube_cut);
  }
}

// The one owner that says it controls the object.
void ReadController(JsonValue value, model::OwnerReference& controller) {
  ForEachElement(value, kMaxContainers, [&](JsonValue element) {
    model::OwnerReference owner;
    bool controls = false;
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "kind") owner.kind = NameOf(field);
      if (key == "name") owner.name = NameOf(field);
      if (key == "uid") owner.uid = NameOf(field);
      if (key == "controller") controls = BoolOf(field, false);
    });
    if (controls) controller = std::move(owner);
  });
}

}  // namespace

std::string NameOf(JsonValue value) {
  if (value.is_null()) return {};
  const std::string_view text = value.get_string();
  if (text.size() > kMaxNameBytes) throw Refused("a name is longer than a name may be");
  return std::string(text);
}

std::string TextOf(JsonValue value) {
  if (value.is_null()) return {};
  const std::string_view text = value.get_string();
  if (text.size() > kMaxTextBytes) Count(Metric::kube_cut);
  return std::string(CutText(text, kMaxTextBytes));
}

UnixMillis TimeOf(JsonValue value) {
  if (value.is_null()) return 0;
  return ParseTimestamp(value.get_string());
}

uint64_t NumberOf(JsonValue value, uint64_t highest) {
  if (value.is_null()) return 0;
  uint64_t number = 0;
  if (value.type() == simdjson::ondemand::json_type::string) {
    const std::string_view text = value.get_string();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return 0;
  } else if (value.get_uint64().get(number) != simdjson::SUCCESS) {
    return 0;
  }
  return number <= highest ? number : 0;
}

bool BoolOf(JsonValue value, bool absent) {
  if (value.is_null()) return absent;
  return value.get_bool();
}

void AddAddress(std::string_view text, std::vector<model::Address>& addresses) {
  const std::optional<model::Address> address = model::Address::Parse(text);
  if (!address || std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) return;
  if (addresses.size() >= kMaxAddresses) return Count(Metric::kube_cut);
  addresses.push_back(*address);
}

Metadata MetadataOf(JsonValue value) {
  Metadata metadata;
  uint64_t grace_seconds = 0;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "uid") metadata.uid = NameOf(field);
    if (key == "name") metadata.name = NameOf(field);
    if (key == "namespace") metadata.name_space = NameOf(field);
    if (key == "resourceVersion") metadata.resource_version = NameOf(field);
    if (key == "creationTimestamp") metadata.created = TimeOf(field);
    if (key == "deletionTimestamp") metadata.deletion = TimeOf(field);
    if (key == "deletionGracePeriodSeconds") grace_seconds = NumberOf(field, 1U << 30);
    if (key == "ownerReferences") ReadController(field, metadata.controller);
    if (key == "labels") {
      ForEachField(field, [&](std::string_view name, JsonValue text) { KeepLabel(name, text, metadata.labels); });
    }
    if (key == "annotations") {
      ForEachField(field, [&](std::string_view name, JsonValue text) {
        if (IsKept(name)) KeepLabel(name, text, metadata.annotations);
      });
    }
  });
  if (metadata.uid.empty() || metadata.name.empty()) throw Refused("an object without uid or name");
  // The API's time of deletion is the end of the grace period.
  if (metadata.deletion != 0) metadata.deletion -= static_cast<UnixMillis>(grace_seconds) * 1'000;
  return metadata;
}

std::string ResourceVersionOf(JsonValue metadata) {
  std::string version;
  ForEachField(metadata, [&](std::string_view key, JsonValue field) {
    if (key == "resourceVersion") version = NameOf(field);
  });
  return version;
}

}  // namespace weir::kube
