#include "store/engine/engine.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <system_error>

namespace weir::store {
namespace {

// Turning ClickHouse's own crash handlers off also resets the process's handlers for the same signals
// (chdb.cpp, chdb_reset_signal_handlers), and so does every connect after that. Ours, and those of the
// sanitizers, are put back.
class SignalGuard {
 public:
  SignalGuard() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &saved_[i]);
  }
  ~SignalGuard() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &saved_[i], nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  static constexpr std::array<int, 11> kSignals{SIGABRT, SIGSEGV, SIGILL,  SIGBUS, SIGSYS, SIGFPE,
                                                SIGTSTP, SIGTRAP, SIGPIPE, SIGINT, SIGTERM};
  std::array<struct sigaction, kSignals.size()> saved_{};
};

// ClickHouse looks at the working directory and refuses to start where it may not, as when root starts us as another
// user from a folder of its own.
void LeaveForbiddenDirectory(const std::filesystem::path& data) {
  if (data.is_relative()) return;
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  if (!error && std::filesystem::exists(here, error) && !error) return;
  std::filesystem::current_path("/", error);
}

// ClickHouse reads the time zone once, when it is first used, and does not start under one it does not know. All our
// times are Unix time. Called before the server has threads that read the environment.
void FixTimeZone() {
  static const bool once = [] {
    setenv("TZ", "UTC", 1);
    tzset();
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

Code CodeOfEngineError(std::string_view message) {
  constexpr std::string_view kPrefix = "Code: ";
  int code = 0;
  if (message.starts_with(kPrefix)) {
    std::from_chars(message.data() + kPrefix.size(), message.data() + message.size(), code);
  }
  switch (code) {                       // ClickHouse, src/Common/ErrorCodes.cpp
    case 158:                           // TOO_MANY_ROWS
    case 159:                           // TIMEOUT_EXCEEDED
    case 160:                           // TOO_SLOW
    case 241:                           // MEMORY_LIMIT_EXCEEDED
    case 243:                           // NOT_ENOUGH_SPACE
    case 252:                           // TOO_MANY_PARTS
    case 396: return Code::kExhausted;  // TOO_MANY_ROWS_OR_BYTES
    case 33:                            // CANNOT_READ_ALL_DATA
    case 40:                            // CHECKSUM_DOESNT_MATCH
    case 228:                           // UNKNOWN_PART_NAME
    case 246:                           // CORRUPTED_DATA
    case 271:                           // CANNOT_DECOMPRESS
    case 342: return Code::kCorrupt;    // NO_FILE_IN_DATA_PART and its kind
    default: break;
  }
  if (message.find("No space left on device") != std::string_view::npos) return Code::kExhausted;
  return Code::kInternal;
}

Result<std::unique_ptr<Connection>> Connection::Open(const Library& library, const std::filesystem::path& directory) {
  const SignalGuard guard;
  LeaveForbiddenDirectory(directory);
  FixTimeZone();
  if (library.set_signal_handlers_enabled != nullptr) library.set_signal_handlers_enabled(0);
  std::string program = "weir";
  std::string path = "--path=" + directory.string();
  std::array<char*, 3> arguments{program.data(), path.data(), nullptr};
  ChdbConnection* handle = library.connect(2, arguments.data());
  if (handle == nullptr || *handle == nullptr) {
    return Status::Corrupt(fmt::format("ClickHouse cannot open {}, for the reason it gave on stderr just before",
                                       directory.string()))
        .WithRemedy("what is stored there is untouched: leave it as it is, remove the reason and start again");
  }
  return std::unique_ptr<Connection>(new Connection(library, handle));
}

Connection::~Connection() { library_.close_connection(handle_); }

Result<std::string> Connection::Execute(std::string_view sql, std::string_view format) {
  ChdbResult* result = library_.query(*handle_, sql.data(), sql.size(), format.data(), format.size());
  if (result == nullptr) return Status::Internal("ClickHouse gave no answer");
  Result<std::string> answer = std::string();
  if (const char* error = library_.result_error(result); error != nullptr) {
    answer = Status(CodeOfEngineError(error), error);
  } else if (const char* buffer = library_.result_buffer(result); buffer != nullptr) {
    answer->assign(buffer, library_.result_length(result));
  }
  rows_read_ = library_.rows_read(result);
  library_.destroy_result(result);
  if (!answer.ok()) DiscardHalfAnswer();
  return answer;
}

// What a statement had answered before it failed stays in the connection, and the next answer would begin with it.
void Connection::DiscardHalfAnswer() {
  constexpr std::string_view kNothing = "SELECT 1";
  constexpr std::string_view kNoFormat = "Null";
  ChdbResult* result = library_.query(*handle_, kNothing.data(), kNothing.size(), kNoFormat.data(), kNoFormat.size());
  if (result != nullptr) library_.destroy_result(result);
}

}  // namespace weir::store
