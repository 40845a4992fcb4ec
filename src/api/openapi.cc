#include "api/openapi.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/version.h"
#include "wire/batch_codec.h"

namespace weir::api {
namespace {

Json SchemaOf(const Parameter& parameter) {
  Json schema{{"type", "string"}};
  switch (parameter.type) {
    case ParameterType::kInteger: {
      int64_t fallback = 0;
      std::from_chars(parameter.fallback.data(), parameter.fallback.data() + parameter.fallback.size(), fallback);
      const Json number{{"type", "integer"}, {"minimum", parameter.least}, {"maximum", parameter.most}};
      return {{"oneOf", {number, {{"const", kMax}}}}, {"default", fallback}};
    }
    case ParameterType::kBoolean: return {{"type", "boolean"}, {"default", parameter.fallback == "true"}};
    case ParameterType::kChoice: schema["enum"] = Choices(parameter); break;
    case ParameterType::kDuration: schema["examples"] = {"250ms", "10s", "1h30m"}; break;
    case ParameterType::kTime: schema["examples"] = {"2026-11-24T14:00:00Z", "now-15m", "15m"}; break;
    case ParameterType::kDimensions: schema["examples"] = {"client_process,server_process"}; break;
    case ParameterType::kMeasures: schema["examples"] = {"bytes,retransmits"}; break;
    case ParameterType::kSort: schema["examples"] = {"-bytes,client_address"}; break;
    case ParameterType::kName: break;
    case ParameterType::kNames: schema["examples"] = {"shop,web"}; break;
    case ParameterType::kFilter: schema["examples"] = {"server_port = 443 and retransmits > 0"}; break;
  }
  schema["default"] = parameter.fallback;
  return schema;
}

Json ParametersOf(const Route& route) {
  Json parameters = Json::array();
  for (const Parameter& parameter : route.parameters) {
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"required", false},
                          {"description", parameter.help},
                          {"schema", SchemaOf(parameter)}});
  }
  return parameters;
}

Json ContentOf(std::string_view content_types) {
  Json content = Json::object();
  while (!content_types.empty()) {
    const size_t end = std::min(content_types.find('|'), content_types.size());
    const std::string_view type = content_types.substr(0, end);
    content[std::string(type)] = {{"schema", {{"type", type == "application/json" ? "object" : "string"}}}};
    content_types.remove_prefix(std::min(end + 1, content_types.size()));
  }
  return content;
}

// "getFlows" of GET /api/v1/flows, "getNodesSeries" of GET /api/v1/nodes/series
std::string OperationId(const Route& route) {
  std::string id(route.method);
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view kBase = "/api/v1/";
  std::string_view rest = route.path.substr(route.path.starts_with(kBase) ? kBase.size() : 1);
  rest = rest.substr(0, rest.find('.'));
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    id += static_cast<char>(std::toupper(static_cast<unsigned char>(name.front())));
    id += name.substr(1);
  }
  return id;
}

Json OperationOf(const Route& route) {
  Json operation;
  operation["operationId"] = OperationId(route);
  operation["summary"] = route.summary;
  if (!route.parameters.empty()) operation["parameters"] = ParametersOf(route);
  if (route.path == wire::kIngestPath) {
    operation["parameters"] =
        Json::array({{{"name", wire::kSentAtHeader},
                      {"in", "header"},
                      {"required", true},
                      {"description", "When the agent sent this, by its clock, in Unix milliseconds."},
                      {"schema", {{"type", "integer"}}}}});
    operation["requestBody"] = {
        {"required", true},
        {"description", "A batch (proto/weir/v1/batch.proto) in one zstd frame."},
        {"content", {{std::string(wire::kContentType), {{"schema", {{"type", "string"}, {"format", "binary"}}}}}}}};
  }
  operation["responses"] = {{"200", {{"description", "OK"}, {"content", ContentOf(route.content_types)}}},
                            {"default", {{"$ref", "#/components/responses/Error"}}}};
  if (route.path == "/healthz" || route.path == "/readyz") operation["security"] = Json::array();
  return operation;
}

Json Components() {
  Json error;
  error["type"] = "object";
  error["required"] = {"code", "message"};
  error["properties"] = {
      {"code",
       {{"type", "string"},
        {"enum",
         {"invalid", "unauthorized", "forbidden", "not_found", "method_not_allowed", "conflict", "too_large", "busy",
          "internal"}}}},
      {"message", {{"type", "string"}}},
      {"parameter", {{"type", "string"}, {"description", "The query parameter at fault."}}},
      {"position", {{"type", "integer"}, {"description", "Character in the parameter's value, from 1."}}},
      {"remedy", {{"type", "string"}, {"description", "What to do about it."}}}};
  const Json envelope{{"type", "object"},
                      {"required", Json::array({"error"})},
                      {"properties", {{"error", {{"$ref", "#/components/schemas/Error"}}}}}};
  Json components;
  components["schemas"]["Error"] = error;
  components["responses"]["Error"] = {{"description", "What went wrong and what to do about it."},
                                      {"content", {{"application/json", {{"schema", envelope}}}}}};
  components["securitySchemes"]["bearer"] = {{"type", "http"}, {"scheme", "bearer"}};
  components["securitySchemes"]["basic"] = {
      {"type", "http"}, {"scheme", "basic"}, {"description", "Any user; the token is the password."}};
  return components;
}

}  // namespace

Json OpenApi(std::span<const Route> routes) {
  Json document;
  document["openapi"] = "3.1.0";
  document["info"] = {{"title", "Weir"},
                      {"version", kVersion},
                      {"description", "Flows between processes, containers and hosts. docs/api.md shows the answers."}};
  document["servers"] = Json::array({{{"url", "/"}}});
  // Open on a loopback address, a token otherwise.
  document["security"] = Json::array({Json::object(), {{"bearer", Json::array()}}, {{"basic", Json::array()}}});
  document["paths"] = Json::object();
  for (const Route& route : routes) {
    std::string method(route.method);
    std::transform(method.begin(), method.end(), method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    document["paths"][std::string(route.path)][method] = OperationOf(route);
  }
  document["components"] = Components();
  return document;
}

}  // namespace weir::api
