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

std::string_view Status::remedy() const { return std::string_view(message_).substr(message_.size() - remedy_bytes_); }

Status Status::WithRemedy(std::string_view remedy) && {
  if (!ok() && remedy_bytes_ == 0 && !remedy.empty()) {
    message_ += "; ";
    message_ += remedy;
    remedy_bytes_ = remedy.size();
  }
  return std::move(*this);
}

Status Status::WithPosition(size_t character) && {
  position_ = character;
  return std::move(*this);
}

Status Status::Annotate(std::string_view context) && {
  if (!ok()) message_.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

Status Status::Because(std::string_view reason, size_t max_bytes) && {
  if (ok() || reason.empty()) return std::move(*this);
  const std::string_view cut = reason.size() > max_bytes ? "..." : "";
  message_.insert(problem_bytes(), ": " + std::string(reason.substr(0, max_bytes)) + std::string(cut));
  return std::move(*this);
}

Status Status::Shortened(size_t max_bytes) && {
  if (const size_t bytes = problem_bytes(); bytes > max_bytes) message_.replace(max_bytes, bytes - max_bytes, "...");
  return std::move(*this);
}

}  // namespace weir
