// How decoders walk JSON: simdjson's on-demand values with bounds. For .cc files of kube/ alone, which catch what it
// throws: simdjson::simdjson_error for JSON that is broken or of another shape, Refused for what passes a bound.
#pragma once

#include <simdjson.h>

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "kube/objects.h"

namespace weir::kube {

using JsonValue = simdjson::ondemand::value;  // within an object or array; a whole text is a JsonObject
using JsonObject = simdjson::ondemand::object;

class Refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Calls visit(key, value) for each field of an object.
template <typename Visit>
void ForEachField(JsonObject object, Visit&& visit) {
  for (auto result : object) {
    simdjson::ondemand::field field;
    if (const simdjson::error_code error = std::move(result).get(field); error != simdjson::SUCCESS)
      throw simdjson::simdjson_error(error);
    const std::string_view key = field.unescaped_key();
    visit(key, field.value());
  }
}

// The same; does nothing for null.
template <typename Visit>
void ForEachField(JsonValue value, Visit&& visit) {
  if (!value.is_null()) ForEachField(JsonObject(value.get_object()), visit);
}

// Calls visit(value) for each element of an array, of the first `limit`; does nothing for null. False: there were more.
template <typename Visit>
bool ForEachElement(JsonValue value, size_t limit, Visit&& visit) {
  if (value.is_null()) return true;
  size_t count = 0;
  for (auto element : value.get_array()) {
    JsonValue present = element.value();
    if (++count > limit) return false;
    visit(present);
  }
  return true;
}

// A name, or another text that must not be cut because it is an identity. Throws Refused beyond kMaxNameBytes.
std::string NameOf(JsonValue value);
// A text for people, cut at kMaxTextBytes; "" for null.
std::string TextOf(JsonValue value);
UnixMillis TimeOf(JsonValue value);
// A number from 0 to `highest`, also one written as a text ("8", as quantities are); 0 when it is another.
uint64_t NumberOf(JsonValue value, uint64_t highest);
bool BoolOf(JsonValue value, bool absent);
// Appends the addresses that are some; others are left out.
void AddAddress(std::string_view text, std::vector<model::Address>& addresses);

struct Metadata {
  std::string uid;
  std::string name;
  std::string name_space;
  std::string resource_version;
  UnixMillis created = 0;
  UnixMillis deletion = 0;  // when it was asked for, not when the grace is over
  model::OwnerReference controller;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;  // those about topology and prometheus.io/ alone
};

// Throws Refused when it has no uid or no name.
Metadata MetadataOf(JsonValue value);
// The same of an object that may have neither, as a bookmark's.
std::string ResourceVersionOf(JsonValue metadata);

// Whether a resource's name stands for graphics processors: "nvidia.com/gpu".
inline bool IsGpu(std::string_view resource) { return resource.ends_with("/gpu"); }

// One object each, from the whole of its text.
model::Pod DecodePod(JsonObject value, Metadata& metadata);
model::Service DecodeService(JsonObject value, Metadata& metadata);
model::Endpoints DecodeEndpoints(JsonObject value, Metadata& metadata);
model::Node DecodeNode(JsonObject value, Metadata& metadata);
model::Namespace DecodeNamespace(JsonObject value, Metadata& metadata);
model::VolumeAttachment DecodeAttachment(JsonObject value, Metadata& metadata);
Owner DecodeOwner(JsonObject value, Metadata& metadata);

}  // namespace weir::kube
