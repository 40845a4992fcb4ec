// The API's JSON. Members keep the order they are written in, which docs/api.md shows.
// Rows of flows do not go through it: see row_writer.h.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace weir::api {

using Json = nlohmann::ordered_json;

// Text of a value; bytes that are not UTF-8 become U+FFFD instead of an exception.
inline std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace weir::api
