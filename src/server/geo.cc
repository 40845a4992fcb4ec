#include "server/geo.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <maxminddb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "model/columns.h"

namespace weir::server {
namespace {

// Text of a record, cut to what a column holds. Bytes that are no UTF-8 were refused by the library's own tools, not by
// it: the store and the API treat all names as hostile.
std::string TextOf(MMDB_entry_s& entry, const char* const* path) {
  MMDB_entry_data_s data;
  if (MMDB_aget_value(&entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
      data.type != MMDB_DATA_TYPE_UTF8_STRING) {
    return {};
  }
  return {data.utf8_string, std::min<size_t>(data.data_size, model::kMaxStringBytes)};
}

uint32_t NumberOf(MMDB_entry_s& entry, const char* const* path) {
  MMDB_entry_data_s data;
  const bool found = MMDB_aget_value(&entry, &data, path) == MMDB_SUCCESS && data.has_data;
  return found && data.type == MMDB_DATA_TYPE_UINT32 ? data.uint32 : 0;
}

}  // namespace

struct Geo::Database {
  MMDB_s mmdb{};
  bool open = false;
  ~Database() {
    if (open) MMDB_close(&mmdb);
  }
};

Geo::~Geo() = default;

Result<std::unique_ptr<Geo>> Geo::Open(std::string_view files) {
  std::unique_ptr<Geo> geo(new Geo());
  while (!files.empty()) {
    const size_t comma = std::min(files.find(','), files.size());
    const std::string path(files.substr(0, comma));
    files.remove_prefix(std::min(comma + 1, files.size()));
    if (path.empty()) continue;
    auto database = std::make_unique<Database>();
    const int result = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &database->mmdb);
    if (result == MMDB_FILE_OPEN_ERROR) return Status::FromErrno(errno, "open " + path);
    if (result != MMDB_SUCCESS) {
      return Status::Invalid(fmt::format("{}: {}; give a MaxMind database (.mmdb)", path, MMDB_strerror(result)));
    }
    database->open = true;
    const MMDB_metadata_s& about = database->mmdb.metadata;
    geo->files_.push_back(
        {path, about.database_type, static_cast<int64_t>(about.build_epoch) * 1'000, about.node_count});
    geo->databases_.push_back(std::move(database));
  }
  return geo;
}

GeoName Geo::Find(const model::Address& address) const {
  GeoName name;
  sockaddr_in6 six{};
  sockaddr_in four{};
  const sockaddr* socket_address = reinterpret_cast<const sockaddr*>(&six);
  if (address.is_v4()) {
    four.sin_family = AF_INET;
    std::memcpy(&four.sin_addr, address.bytes.data() + 12, 4);
    socket_address = reinterpret_cast<const sockaddr*>(&four);
  } else {
    six.sin6_family = AF_INET6;
    std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
  }
  for (const auto& database : databases_) {
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&database->mmdb, socket_address, &error);
    if (error != MMDB_SUCCESS || !found.found_entry) continue;
    static constexpr const char* kCountry[] = {"country", "iso_code", nullptr};
    static constexpr const char* kNumber[] = {"autonomous_system_number", nullptr};
    static constexpr const char* kOrganization[] = {"autonomous_system_organization", nullptr};
    if (name.country.empty()) name.country = TextOf(found.entry, kCountry);
    const uint32_t number = NumberOf(found.entry, kNumber);
    if (!name.organization.empty() || number == 0) continue;
    name.organization = fmt::format("AS{} {}", number, TextOf(found.entry, kOrganization));
    if (name.organization.size() > model::kMaxStringBytes) name.organization.resize(model::kMaxStringBytes);
  }
  return name;
}

}  // namespace weir::server
