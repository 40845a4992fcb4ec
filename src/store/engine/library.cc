#include "store/engine/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <mutex>

namespace weir::store {
namespace {

constexpr std::string_view kFileName = "libchdb.so";

template <typename Function>
bool Bind(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  return function != nullptr;
}

}  // namespace

std::vector<std::filesystem::path> LibraryCandidates() {
  std::vector<std::filesystem::path> candidates;
  if (const char* named = std::getenv("WEIR_LIBCHDB"); named != nullptr && *named != '\0')
    candidates.emplace_back(named);
  std::error_code error;
  if (const auto executable = std::filesystem::read_symlink("/proc/self/exe", error); !error) {
    const auto folder = executable.parent_path();
    candidates.push_back(folder / kFileName);
    candidates.push_back((folder / "../lib/weir" / kFileName).lexically_normal());
    // build/weir, build/bin/weir and build/<preset>/bin/weir all find build/deps.
    candidates.push_back(folder / "deps" / kFileName);
    candidates.push_back((folder / "../deps" / kFileName).lexically_normal());
    candidates.push_back((folder / "../../deps" / kFileName).lexically_normal());
    candidates.push_back((folder / "../build/deps" / kFileName).lexically_normal());
  }
  candidates.push_back(std::filesystem::path("/usr/local/lib") / kFileName);
  candidates.push_back(std::filesystem::path("/usr/lib/weir") / kFileName);
  return candidates;
}

Result<std::filesystem::path> FindLibrary(const std::string& wanted) {
  constexpr std::string_view kRemedy =
      "install the package weir-store, or get libchdb 26.3 or later (`./dev setup` does, or "
      "https://github.com/chdb-io/chdb-core/releases) and name it with --libchdb or $WEIR_LIBCHDB";
  std::error_code error;
  if (!wanted.empty()) {
    if (std::filesystem::is_regular_file(wanted, error)) return std::filesystem::path(wanted);
    return Status::NotFound(fmt::format("no storage library at {}", wanted)).WithRemedy(kRemedy);
  }
  std::string places;
  for (const auto& candidate : LibraryCandidates()) {
    if (std::filesystem::is_regular_file(candidate, error)) return candidate;
    places += fmt::format("{}{}", places.empty() ? "" : ", ", candidate.string());
  }
  return Status::NotFound(fmt::format("no storage library {}: looked at {}", kFileName, places)).WithRemedy(kRemedy);
}

Result<const Library*> LoadLibrary(const std::filesystem::path& path) {
  static std::mutex mutex;
  static std::unique_ptr<const Library> loaded;
  const std::lock_guard lock(mutex);
  if (loaded) return loaded.get();

  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return Status::Unsupported(fmt::format("cannot load the storage library {}: {}", path.string(), dlerror()));
  }
  auto library = std::make_unique<Library>();
  library->path = path;
  const bool complete = Bind(handle, "chdb_connect", library->connect) &&
                        Bind(handle, "chdb_close_conn", library->close_connection) &&
                        Bind(handle, "chdb_query_n", library->query) &&
                        Bind(handle, "chdb_destroy_query_result", library->destroy_result) &&
                        Bind(handle, "chdb_result_buffer", library->result_buffer) &&
                        Bind(handle, "chdb_result_length", library->result_length) &&
                        Bind(handle, "chdb_result_error", library->result_error) &&
                        Bind(handle, "chdb_result_storage_rows_read", library->rows_read);
  if (!complete) {
    dlclose(handle);
    return Status::Unsupported(fmt::format("{} is not a libchdb this version can use", path.string()))
        .WithRemedy("get libchdb 26.3 or later");
  }
  Bind(handle, "chdb_set_signal_handlers_enabled", library->set_signal_handlers_enabled);
  loaded = std::move(library);
  return loaded.get();
}

}  // namespace weir::store
