#include "server/prefixes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace weir::server {
namespace {

using Rank = PrefixName::Rank;
using nlohmann::json;

constexpr int kV4Bits = 96;  // of an IPv4-mapped address, before the IPv4 address
constexpr size_t kMaxTextBytes = 256;
constexpr size_t kMaxDepth = 16;

struct Service {
  std::string_view published;
  std::string_view name;
  std::string_view class_name;
  Rank rank;
};

// Names of published services that say more than their own. Others get their cloud's name in front.
constexpr auto kAwsServices = std::to_array<Service>({
    {"AMAZON", "AWS", "cloud", Rank::kCloud},
    {"EC2", "Amazon EC2", "compute", Rank::kCompute},
    {"S3", "Amazon S3", "object_store", Rank::kService},
    {"DYNAMODB", "Amazon DynamoDB", "database", Rank::kService},
    {"CLOUDFRONT", "Amazon CloudFront", "cdn", Rank::kService},
    {"CLOUDFRONT_ORIGIN_FACING", "Amazon CloudFront", "cdn", Rank::kService},
    {"API_GATEWAY", "Amazon API Gateway", "api", Rank::kService},
    {"GLOBALACCELERATOR", "AWS Global Accelerator", "network", Rank::kService},
    {"ROUTE53", "Amazon Route 53", "dns", Rank::kService},
    {"ROUTE53_HEALTHCHECKS", "Amazon Route 53", "dns", Rank::kService},
    {"ROUTE53_RESOLVER", "Amazon Route 53", "dns", Rank::kService},
    {"EBS", "Amazon EBS", "block_store", Rank::kService},
    {"KINESIS_VIDEO_STREAMS", "Amazon Kinesis Video Streams", "queue", Rank::kService},
    {"EC2_INSTANCE_CONNECT", "EC2 Instance Connect", "api", Rank::kService},
});
constexpr auto kAzureServices = std::to_array<Service>({
    {"", "Azure", "cloud", Rank::kCloud},
    {"AzureStorage", "Azure Storage", "object_store", Rank::kService},
    {"AzureSQL", "Azure SQL", "database", Rank::kService},
    {"AzureCosmosDB", "Azure Cosmos DB", "database", Rank::kService},
    {"AzureContainerRegistry", "Azure Container Registry", "registry", Rank::kService},
    {"AzureEventHub", "Azure Event Hubs", "queue", Rank::kService},
    {"AzureServiceBus", "Azure Service Bus", "queue", Rank::kService},
    {"AzureFrontDoor", "Azure Front Door", "cdn", Rank::kService},
    {"AzureKeyVault", "Azure Key Vault", "api", Rank::kService},
    {"AzureMonitor", "Azure Monitor", "observability", Rank::kService},
    {"AzureAD", "Microsoft Entra ID", "api", Rank::kService},
    {"MicrosoftContainerRegistry", "Microsoft Container Registry", "registry", Rank::kService},
});

template <size_t kCount>
PrefixName NameOf(const std::array<Service, kCount>& services, const std::string& published, std::string_view cloud,
                  const std::string& region) {
  for (const Service& service : services) {
    if (service.published == published) {
      return {std::string(service.name), std::string(service.class_name), region, service.rank};
    }
  }
  return {fmt::format("{} {}", cloud, published), "cloud", region, Rank::kService};
}

// Clears the bits behind the first `bits`.
model::Address Masked(model::Address address, int bits) {
  for (int i = 0; i < 16; ++i) {
    const int keep = std::clamp(bits - i * 8, 0, 8);
    address.bytes[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xFF00 >> keep);
  }
  return address;
}

// "2026-11-20-12-00-00" (AWS) and "2026-11-20T12:00:00.123" (Google) as Unix milliseconds; 0 = another form.
UnixMillis ParseDate(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u%*1[-T]%2d%*1[-:]%2d%*1[-:]%2d", &year, &month, &day, &hour, &minute,
                  &second) != 6) {
    return 0;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return 0;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return (std::chrono::duration_cast<std::chrono::seconds>(days).count() + hour * 3'600 + minute * 60 + second) * 1'000;
}

}  // namespace

// Reads any of the formats element by element, so that a large file takes little memory.
class Prefixes::Reader final : public nlohmann::json_sax<json> {
 public:
  std::vector<Found> found;
  std::string kind;
  UnixMillis dated = 0;
  std::string error;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t& name) override {
    if (!path_.empty()) path_.back() = name.substr(0, kMaxTextBytes);
    return true;
  }
  bool start_object(size_t) override { return Enter(); }
  bool start_array(size_t) override { return Enter(); }
  bool end_object() override {
    path_.pop_back();
    if (path_.size() == 2) EndItem();
    return true;
  }
  bool end_array() override {
    path_.pop_back();
    return true;
  }
  bool string(string_t& text) override {
    if (text.size() > kMaxTextBytes) text.resize(kMaxTextBytes);
    if (path_.size() == 1) TopLevel(text);
    if (path_.size() >= 2) Inner(text);
    return found.size() <= kMaxPrefixes;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error = fmt::format("it is damaged or cut off at byte {}", position);
    return false;
  }

 private:
  struct Item {
    std::vector<std::string> prefixes;
    std::string service;
    std::string region;
    bool google = false;
    bool aws = false;
  };

  bool Enter() {
    path_.emplace_back();
    if (path_.size() <= kMaxDepth) return true;
    error = "it is nested too deeply";
    return false;
  }

  void TopLevel(const std::string& text) {
    if (path_[0] == "createDate" || path_[0] == "creationTime") dated = ParseDate(text);
  }

  void Inner(const std::string& text) {
    const std::string& key = path_.back();
    if (path_[0] == "cdnIps") {
      found.push_back({text, {"Hugging Face", "model_hub", "", Rank::kService}});
      kind = "huggingface";
    } else if (path_[0] == "prefixes" || path_[0] == "ipv6_prefixes") {
      if (key == "ip_prefix" || key == "ipv6_prefix") {
        item_.aws = true;
        item_.prefixes.push_back(text);
      } else if (key == "ipv4Prefix" || key == "ipv6Prefix") {
        item_.google = true;
        item_.prefixes.push_back(text);
      } else if (key == "service") {
        item_.service = text;
      } else if (key == "region" || key == "scope") {
        item_.region = text;
      }
    } else if (path_[0] == "values" && path_.size() >= 4) {
      // values[].properties.{region, systemService, addressPrefixes[]}
      if (key == "systemService") item_.service = text;
      if (key == "region") item_.region = text;
      if (path_.size() == 5 && path_[3] == "addressPrefixes") item_.prefixes.push_back(text);
    }
  }

  void EndItem() {
    const Item item = std::exchange(item_, {});
    if (item.prefixes.empty()) return;
    PrefixName name;
    if (item.aws) {
      kind = "aws";
      name = NameOf(kAwsServices, item.service, "AWS", item.region == "GLOBAL" ? "" : item.region);
    } else if (item.google) {
      kind = "google";
      // goog.json has everything of Google, without services; cloud.json the part that customers use.
      name = item.service.empty() ? PrefixName{"Google APIs", "api", "", Rank::kCloud}
                                  : PrefixName{item.service, "cloud", item.region, Rank::kCloud};
      if (name.region == "global") name.region.clear();
    } else {
      kind = "azure";
      name = NameOf(kAzureServices, item.service, "Azure", item.region);
    }
    for (const std::string& prefix : item.prefixes) found.push_back({prefix, name});
  }

  std::vector<std::string> path_;  // the key at each level; "" in arrays
  Item item_;
};

Result<PrefixFile> Prefixes::AddFile(const std::string& path, std::string_view text) {
  if (text.size() > kMaxFileBytes) {
    return Status::Exhausted(fmt::format("{} has {} bytes, more than {}", path, text.size(), kMaxFileBytes));
  }
  Reader reader;
  const bool complete = json::sax_parse(text, &reader);
  if (reader.found.size() > kMaxPrefixes) {
    return Status::Exhausted(fmt::format("{} has more than {} prefixes", path, kMaxPrefixes));
  }
  if (!complete) return Status::Invalid(fmt::format("{}: {}; fetch it again", path, reader.error));
  if (reader.found.empty()) {
    return Status::Invalid(
        fmt::format("{} has no prefixes of a format that is known: AWS ip-ranges.json, Google "
                    "cloud.json or goog.json, Azure service tags, Hugging Face meta.json",
                    path));
  }
  size_t bad = 0;
  size_t added = 0;
  for (const Found& item : reader.found) {
    Status status = Add(item.prefix, item.name);
    if (status.code() == Code::kExhausted) return std::move(status).Annotate(path);
    status.ok() ? ++added : ++bad;
  }
  if (added == 0) return Status::Invalid(fmt::format("{}: none of its {} prefixes is one", path, bad));
  files_.push_back({path, reader.kind, reader.dated, added});
  return files_.back();
}

Status Prefixes::AddLabels(std::string_view text) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals + 1 == item.size()) {
      return Status::Invalid(fmt::format("'{}' is no label such as 10.0.0.0/8=office", item));
    }
    const std::string_view label = item.substr(equals + 1);
    const size_t colon = std::min(label.rfind(':'), label.size());
    PrefixName name{std::string(label.substr(0, colon)), "", "", Rank::kLabel};
    if (colon < label.size()) name.class_name = label.substr(colon + 1);
    if (name.name.size() > kMaxTextBytes || name.class_name.size() > kMaxTextBytes) {
      return Status::Invalid(
          fmt::format("the label of {} is longer than {} bytes", item.substr(0, equals), kMaxTextBytes));
    }
    WEIR_RETURN_IF_ERROR(Add(item.substr(0, equals), name));
  }
  return Status::Ok();
}

uint32_t Prefixes::NumberOf(const PrefixName& name) {
  std::string key = fmt::format("{}\n{}\n{}\n{}", name.name, name.class_name, name.region, static_cast<int>(name.rank));
  const auto [found, is_new] = numbers_.try_emplace(std::move(key), static_cast<uint32_t>(names_.size()));
  if (is_new) names_.push_back(name);
  return found->second;
}

Status Prefixes::Add(std::string_view prefix, const PrefixName& name) {
  const auto range = model::AddressRange::Parse(prefix);
  if (!range) return Status::Invalid(fmt::format("'{}' is no address range", prefix));
  if (names_by_prefix_.size() >= kMaxPrefixes) {
    return Status::Exhausted(fmt::format("more than {} address ranges", kMaxPrefixes));
  }
  // The range is a prefix: as many bits as both of its ends have in common.
  int bits = 0;
  while (bits < 128) {
    const auto byte = static_cast<size_t>(bits / 8);
    const int mask = 0x80 >> (bits % 8);
    if ((range->first.bytes[byte] & mask) != (range->last.bytes[byte] & mask)) break;
    ++bits;
  }
  const uint32_t number = NumberOf(name);
  const auto [found, is_new] = names_by_prefix_.try_emplace(Key{range->first, static_cast<uint64_t>(bits)}, number);
  if (!is_new && names_[number].rank > names_[found->second].rank) found.value() = number;
  lengths_.set(static_cast<size_t>(bits));
  return Status::Ok();
}

const PrefixName* Prefixes::Find(const model::Address& address) const {
  const PrefixName* best = nullptr;
  const int shortest = address.is_v4() ? kV4Bits : 0;
  for (int bits = 128; bits >= shortest; --bits) {
    if (!lengths_.test(static_cast<size_t>(bits))) continue;
    const auto found = names_by_prefix_.find(Key{Masked(address, bits), static_cast<uint64_t>(bits)});
    if (found == names_by_prefix_.end()) continue;
    const PrefixName& name = names_[found->second];
    if (best == nullptr || name.rank > best->rank) best = &name;
    if (best->rank == Rank::kLabel) return best;
  }
  return best;
}

}  // namespace weir::server
