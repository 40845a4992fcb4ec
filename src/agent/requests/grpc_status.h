// What became of a call of gRPC. HTTP's status is 200 whatever happened: the outcome stands behind the answer, in its
// trailers, or in the header of an answer without a body (gRPC over HTTP/2, "Responses").
#pragma once

#include <string>
#include <string_view>

namespace weir::agent::requests {

inline constexpr int kNoGrpcStatus = -2;  // the answer ended without saying
inline constexpr std::string_view kNoGrpcStatusName = "no_grpc_status";

// Whether a content-type is gRPC's own. That of gRPC-Web, which has its trailers in the body, is not.
bool IsGrpcType(std::string_view content_type);
// 0 .. 999; -1: not a number. "0" is success.
int ParseGrpcStatus(std::string_view value);
// "UNAVAILABLE"; "GRPC17" for codes without a name; "no_grpc_status".
std::string GrpcStatusName(int status);
// Whether the server is to blame, as with HTTP's 5xx, and not the request: OpenTelemetry's list for server spans.
bool IsGrpcServerError(int status);

}  // namespace weir::agent::requests
