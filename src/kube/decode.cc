#include "kube/decode.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <optional>

#include "base/metrics.h"
#include "kube/json_fields.h"

namespace weir::kube {
namespace {

namespace json = simdjson::ondemand;

// The parser reads some bytes past the end of a text, which must be there.
simdjson::padded_string_view Padded(std::string& text) {
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  return simdjson::padded_string_view(text.data(), text.size(), text.capacity());
}

// Part of a text that is padded itself.
simdjson::padded_string_view Padded(std::string_view part) {
  return simdjson::padded_string_view(part.data(), part.size(), part.size() + simdjson::SIMDJSON_PADDING);
}

Object DecodeAny(Resource resource, JsonObject value, Metadata& metadata) {
  switch (resource) {
    case Resource::kPods: return DecodePod(value, metadata);
    case Resource::kServices: return DecodeService(value, metadata);
    case Resource::kEndpointSlices: return DecodeEndpoints(value, metadata);
    case Resource::kNodes: return DecodeNode(value, metadata);
    case Resource::kNamespaces: return DecodeNamespace(value, metadata);
    case Resource::kVolumeAttachments: return DecodeAttachment(value, metadata);
    default: return DecodeOwner(value, metadata);
  }
}

// An object without metadata is refused like one whose metadata is empty.
Object DecodeChecked(Resource resource, JsonObject value, Metadata& metadata) {
  Object object = DecodeAny(resource, value, metadata);
  if (metadata.uid.empty()) throw Refused("an object without metadata");
  return object;
}

// nullopt for a value that is no object; throws where the text around it is broken.
std::optional<std::string_view> TextOfObject(JsonValue value) {
  json::object object;
  const simdjson::error_code error = value.get_object().get(object);
  if (error == simdjson::INCORRECT_TYPE) return std::nullopt;
  if (error != simdjson::SUCCESS) throw simdjson::simdjson_error(error);
  return std::string_view(object.raw_json());
}

Refusal ReadRefusal(JsonObject value) {
  Refusal refusal;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "code") refusal.code = static_cast<int>(NumberOf(field, 999));
    if (key == "reason") refusal.reason = TextOf(field);
    if (key == "message") refusal.message = TextOf(field);
  });
  return refusal;
}

std::string BookmarkVersion(JsonObject object) {
  std::string version;
  ForEachField(object, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") version = ResourceVersionOf(field);
  });
  return version;
}

std::optional<EventType> TypeOf(std::string_view name) {
  if (name == "ADDED") return EventType::kAdded;
  if (name == "MODIFIED") return EventType::kModified;
  if (name == "DELETED") return EventType::kDeleted;
  if (name == "BOOKMARK") return EventType::kBookmark;
  if (name == "ERROR") return EventType::kError;
  return std::nullopt;
}

Status Refuse(std::string why) {
  Count(Metric::kube_objects_refused);
  return Status::Invalid(std::move(why));
}

}  // namespace

// One for the text of a page or event, one for an object within it: broken objects do not break their page.
struct Decoder::Parsers {
  json::parser outer;
  json::parser inner;
};

Decoder::Decoder(Resource resource) : parsers_(std::make_unique<Parsers>()), resource_(resource) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

Result<ListPage> Decoder::DecodeList(std::string& body, const std::function<void(Object&&)>& each) {
  ListPage page;
  bool has_items = false;
  const auto take = [&](std::string_view text) {
    if (text.size() > kMaxObjectBytes) throw Refused("larger than an object may be");
    json::document document = parsers_->inner.iterate(Padded(text));
    Metadata metadata;
    each(DecodeChecked(resource_, document.get_object(), metadata));
  };
  const auto take_or_refuse = [&](JsonValue element) {
    // What goes wrong here is wrong with the page, what goes wrong within is wrong with one object.
    const std::optional<std::string_view> text = TextOfObject(element);
    try {
      if (!text) throw Refused("no object");
      take(*text);
    } catch (const std::exception&) {
      Count(Metric::kube_objects_refused);
      ++page.refused;
    }
  };
  try {
    json::document document = parsers_->outer.iterate(Padded(body));
    ForEachField(JsonObject(document.get_object()), [&](std::string_view key, JsonValue field) {
      if (key == "metadata") {
        ForEachField(field, [&](std::string_view name, JsonValue text) {
          if (name == "resourceVersion") page.resource_version = NameOf(text);
          if (name == "continue" && !text.is_null()) page.continue_token = std::string_view(text.get_string());
        });
      }
      if (key != "items") return;
      has_items = true;
      ForEachElement(field, SIZE_MAX, take_or_refuse);
    });
  } catch (const std::exception& error) {
    return Status::Corrupt(fmt::format("the answer is no list of {}: {}", Describe(resource_).plural, error.what()));
  }
  if (!has_items || page.resource_version.empty())
    return Status::Corrupt(fmt::format("the answer is no list of {}", Describe(resource_).plural));
  return page;
}

Result<Event> Decoder::DecodeEvent(std::string& line) {
  std::string type_name;
  std::string_view text;
  try {
    json::document document = parsers_->outer.iterate(Padded(line));
    json::object fields = document.get_object();
    type_name = std::string_view(fields.find_field_unordered("type").get_string());
    json::object whole = fields.find_field_unordered("object").get_object();
    text = whole.raw_json();
  } catch (const std::exception& error) {
    return Status::Corrupt(fmt::format("not an event of a watch: {}", error.what()));
  }
  const std::optional<EventType> type = TypeOf(type_name);
  if (!type) return Refuse("an event of a type that is not known");
  try {
    return ReadEvent(*type, text);
  } catch (const std::exception& error) {
    return Refuse(fmt::format("an object that cannot be used: {}", error.what()));
  }
}

Event Decoder::ReadEvent(EventType type, std::string_view text) {
  Event event;
  event.type = type;
  json::document document = parsers_->inner.iterate(Padded(text));
  if (type == EventType::kError) {
    event.refusal = ReadRefusal(document.get_object());
  } else if (type == EventType::kBookmark) {
    event.resource_version = BookmarkVersion(document.get_object());
  } else {
    Metadata metadata;
    event.object = DecodeChecked(resource_, document.get_object(), metadata);
    event.resource_version = std::move(metadata.resource_version);
  }
  return event;
}

Refusal Decoder::DecodeRefusal(std::string& body) {
  try {
    json::document document = parsers_->outer.iterate(Padded(body));
    return ReadRefusal(document.get_object());
  } catch (const std::exception&) {
    return {};
  }
}

Result<std::vector<std::string>> DecodeGroupVersions(std::string& body) {
  json::parser parser;
  std::vector<std::string> versions;
  try {
    json::document document = parser.iterate(Padded(body));
    ForEachField(JsonObject(document.get_object()), [&](std::string_view key, JsonValue field) {
      if (key != "versions") return;
      ForEachElement(field, kMaxPorts, [&](JsonValue element) {
        ForEachField(element, [&](std::string_view name, JsonValue text) {
          if (name == "version") versions.push_back(NameOf(text));
        });
      });
    });
  } catch (const std::exception& error) {
    return Status::Corrupt(fmt::format("the answer is no API group: {}", error.what()));
  }
  if (versions.empty()) return Status::Corrupt("the answer is no API group with versions");
  return versions;
}

}  // namespace weir::kube
