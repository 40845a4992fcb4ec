#include "base/status.h"

#include <cerrno>
#include <cstring>

namespace weir {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kInvalid: return "invalid";
    case Code::kNotFound: return "not_found";
    case Code::kUnavailable: return "unavailable";
    case Code::kExhausted: return "exhausted";
    case Code::kUnsupported: return "unsupported";
    case Code::kDenied: return "denied";
    case Code::kCorrupt: return "corrupt";
    case Code::kConflict: return "conflict";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

namespace {

Code CodeOfErrno(int error_number) {
  switch (error_number) {
    case EPERM:
    case EACCES: return Code::kDenied;
    case ENOSPC:
    case ENOMEM:
    case EDQUOT:
    case EMFILE: return Code::kExhausted;
    case ENOENT: return Code::kNotFound;
    case EADDRINUSE:
    case EEXIST: return Code::kConflict;
    case EOPNOTSUPP:
    case ENOSYS: return Code::kUnsupported;
    case EAGAIN:
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return Code::kUnavailable;
    default: return Code::kInternal;
  }
}

}  // namespace

Status Status::FromErrno(int error_number, std::string_view what) {
  std::string message(what);
  message += ": ";
  message += std::strerror(error_number);
  return {CodeOfErrno(error_number), std::move(message)};
}

Status Status::Annotate(std::string_view context) && {
  if (ok()) return std::move(*this);
  std::string message(context);
  message += ": ";
  message += message_;
  return {code_, std::move(message)};
}

}  // namespace weir
