#include "cmd/naming.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"

namespace weir::cmd {
namespace {

std::vector<std::string> Parts(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (comma != 0) parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

Result<std::string> ReadText(const std::string& path, size_t limit) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::FromErrno(errno == 0 ? EIO : errno, "open " + path);
  std::string text;
  std::array<char, 65'536> piece;
  while (text.size() <= limit && (file.read(piece.data(), piece.size()) || file.gcount() > 0)) {
    text.append(piece.data(), static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) return Status::FromErrno(errno == 0 ? EIO : errno, "read " + path);
  if (text.size() > limit) return Status::Invalid(path + ": has more than " + std::to_string(limit) + " bytes");
  return text;
}

Result<server::PriceTable> ReadPrices(const std::string& given) {
  if (given.find_first_of("/.") == std::string::npos) return server::PriceTable::Shipped(given);
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadText(given, server::PriceTable::kMaxFileBytes));
  Result<server::PriceTable> table = server::PriceTable::Parse(text);
  if (!table.ok()) return table.status().Annotate(given);
  return table;
}

}  // namespace

Result<std::shared_ptr<const server::Prefixes>> Naming::ReadPrefixes() const {
  auto prefixes = std::make_shared<server::Prefixes>();
  for (const std::string& path : files_) {
    Result<std::string> text = ReadText(path, server::Prefixes::kMaxFileBytes);
    if (!text.ok()) return text.status().Annotate("--prefix-file");
    const Result<server::PrefixFile> file = prefixes->AddFile(path, *text);
    if (!file.ok()) return file.status().Annotate("--prefix-file");
    LogInfo("{}: {} address ranges of {}", path, file->prefixes, file->kind);
  }
  for (const PublishedList& list : lists_) {
    const Result<std::string> text = ReadText(list.file, server::Prefixes::kMaxFileBytes);
    if (!text.ok()) continue;  // not fetched yet
    const Result<server::PrefixFile> file = prefixes->AddFile(list.url, *text);
    if (!file.ok()) LogWarn("{}: {}", list.file.string(), file.status().message());
  }
  Status labels = prefixes->AddLabels(labels_);
  if (!labels.ok()) return std::move(labels).Annotate("--cidr-label");
  return std::shared_ptr<const server::Prefixes>(std::move(prefixes));
}

Result<std::unique_ptr<Naming>> Naming::Start(const Settings& settings, const std::filesystem::path& data_dir,
                                              const Clock& clock) {
  std::unique_ptr<Naming> naming(new Naming());
  naming->files_ = Parts(settings.Text("prefix-file"));
  naming->labels_ = settings.Text("cidr-label");
  auto lists = PublishedLists(settings.Text("prefix-url"), data_dir / "prefixes");
  if (!lists.ok()) return lists.status().Annotate("--prefix-url");
  naming->lists_ = *std::move(lists);
  server::NamingOptions options;
  WEIR_ASSIGN_OR_RETURN(options.prefixes, naming->ReadPrefixes());
  if (const std::string& files = settings.Text("geoip"); !files.empty()) {
    auto geo = server::Geo::Open(files);
    if (!geo.ok()) return geo.status().Annotate("--geoip");
    options.geo = *std::move(geo);
  }
  if (const std::string& given = settings.Text("price-table"); !given.empty()) {
    Result<server::PriceTable> prices = ReadPrices(given);
    if (!prices.ok()) return prices.status().Annotate("--price-table");
    options.prices = std::make_shared<const server::PriceTable>(*std::move(prices));
  }
  naming->stage_ = std::make_unique<server::NamingStage>(std::move(options), clock);
  if (naming->lists_.empty()) return naming;
  naming->download_ = std::make_unique<PrefixDownload>(naming->lists_, [raw = naming.get()] {
    Result<std::shared_ptr<const server::Prefixes>> prefixes = raw->ReadPrefixes();
    if (prefixes.ok()) return raw->stage_->SetPrefixes(*std::move(prefixes));
    LogWarn("address ranges were not refreshed, those of before hold: {}", prefixes.status().message());
  });
  return naming;
}

}  // namespace weir::cmd
