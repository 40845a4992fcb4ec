#include "agent/requests/grpc_status.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace weir::agent::requests {
namespace {

constexpr int kLargest = 999;
// google/rpc/code.proto, by number.
constexpr auto kNames = std::to_array<std::string_view>(
    {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
     "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
     "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"});

}  // namespace

bool IsGrpcType(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (!content_type.starts_with(kType)) return false;
  return content_type.size() == kType.size() || content_type[kType.size()] == '+' || content_type[kType.size()] == ';';
}

int ParseGrpcStatus(std::string_view value) {
  int status = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), status);
  const bool read = error == std::errc() && end == value.data() + value.size();
  return read && status >= 0 && status <= kLargest ? status : -1;
}

std::string GrpcStatusName(int status) {
  if (status == kNoGrpcStatus) return std::string(kNoGrpcStatusName);
  const auto place = static_cast<size_t>(status);
  return place < kNames.size() ? std::string(kNames[place]) : fmt::format("GRPC{}", status);
}

bool IsGrpcServerError(int status) {
  switch (status) {
    case kNoGrpcStatus:
    case 2:   // UNKNOWN
    case 4:   // DEADLINE_EXCEEDED
    case 12:  // UNIMPLEMENTED
    case 13:  // INTERNAL
    case 14:  // UNAVAILABLE
    case 15:  // DATA_LOSS
      return true;
    default: return false;
  }
}

}  // namespace weir::agent::requests
