// Status and Result: how every fallible function in Weir answers. No exceptions cross a room's border.
//
// The code says what the caller should do, the message says what happened and, where a person must act, ends with the
// remedy. Each hop adds context with Annotate(): "attach tcp_state: permission denied (EPERM)".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weir {

enum class Code {
  kOk,
  kInvalid,      // reject and tell the sender; retrying the same thing cannot help
  kNotFound,     // normal absence
  kUnavailable,  // retry with back-off
  kExhausted,    // a bound was reached: shed and count
  kUnsupported,  // this kernel or library lacks it: switch the feature off and report
  kDenied,       // missing privilege: report the remedy
  kCorrupt,      // stored data is damaged: set it aside, go on
  kConflict,     // somebody else holds it (port, name, lock)
  kInternal,     // our bug: log, count, keep serving
};

std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  static Status Invalid(std::string m) { return {Code::kInvalid, std::move(m)}; }
  static Status NotFound(std::string m) { return {Code::kNotFound, std::move(m)}; }
  static Status Unavailable(std::string m) { return {Code::kUnavailable, std::move(m)}; }
  static Status Exhausted(std::string m) { return {Code::kExhausted, std::move(m)}; }
  static Status Unsupported(std::string m) { return {Code::kUnsupported, std::move(m)}; }
  static Status Denied(std::string m) { return {Code::kDenied, std::move(m)}; }
  static Status Corrupt(std::string m) { return {Code::kCorrupt, std::move(m)}; }
  static Status Conflict(std::string m) { return {Code::kConflict, std::move(m)}; }
  static Status Internal(std::string m) { return {Code::kInternal, std::move(m)}; }

  // From an errno value: EPERM and EACCES become kDenied, ENOSPC and ENOMEM kExhausted, ENOENT kNotFound,
  // EADDRINUSE kConflict, EAGAIN and connection errors kUnavailable; the rest kInternal.
  static Status FromErrno(int error_number, std::string_view what);

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  // All of it, "problem; remedy", for logs and terminals.
  const std::string& message() const { return message_; }
  // What happened, without the remedy.
  std::string_view problem() const { return std::string_view(message_).substr(0, problem_bytes()); }
  // What a person does about it; "" = nothing is known to help.
  std::string_view remedy() const;
  // Of the text that was parsed: the character the problem is at, from 1; 0 = not about a place in a text.
  size_t position() const { return position_; }

  // The same with a remedy, for a status that has none yet; "" changes nothing.
  Status WithRemedy(std::string_view remedy) &&;
  Status WithPosition(size_t character) &&;
  // "context: message", the rest as it is. No effect on an OK status.
  Status Annotate(std::string_view context) &&;
  // "problem: reason; remedy": what somebody else said of it, an engine or a library, cut to `max_bytes`.
  Status Because(std::string_view reason, size_t max_bytes = 1'000) &&;
  // The same with a problem of at most `max_bytes`.
  Status Shortened(size_t max_bytes) &&;

 private:
  size_t problem_bytes() const { return remedy_bytes_ == 0 ? message_.size() : message_.size() - remedy_bytes_ - 2; }

  Code code_ = Code::kOk;
  std::string message_;
  size_t remedy_bytes_ = 0;  // at the end of the message, behind "; "
  size_t position_ = 0;
};

// A value or the Status that explains its absence.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  Status status() const { return ok() ? Status::Ok() : std::get<Status>(state_); }

  // REQUIRES: ok().
  T& operator*() & { return std::get<T>(state_); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace weir

#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)

#define WEIR_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                                 \
    if (::weir::Status weir_status_ = (expr); !weir_status_.ok()) return weir_status_; \
  } while (false)

// WEIR_ASSIGN_OR_RETURN(auto x, F()): declares x from F()'s value, or returns F()'s status.
#define WEIR_ASSIGN_OR_RETURN(declaration, expr)                                                      \
  auto WEIR_CONCAT(weir_result_, __LINE__) = (expr);                                                  \
  if (!WEIR_CONCAT(weir_result_, __LINE__).ok()) return WEIR_CONCAT(weir_result_, __LINE__).status(); \
  declaration = *std::move(WEIR_CONCAT(weir_result_, __LINE__))
