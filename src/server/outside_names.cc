#include "server/outside_names.h"

#include <algorithm>
#include <vector>

#include "model/columns.h"

namespace weir::server {
namespace {

constexpr int64_t kAtOnceMs = 30'000;  // names asked for within this time of each other may both be meant
constexpr size_t kMaxJoined = 3;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  while (out.ends_with('.')) out.pop_back();
  return out;
}

// Of several names a client asked for at about the same time any may be meant: all are told.
std::string Joined(const std::vector<const ResolvedAs*>& found) {
  std::vector<std::string_view> names;
  for (const ResolvedAs* as : found) {
    if (found.front()->last - as->last <= kAtOnceMs) names.push_back(as->name);
  }
  std::sort(names.begin(), names.end());
  std::string joined;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i == kMaxJoined || joined.size() + names[i].size() + 8 > model::kMaxStringBytes) return joined + ", ...";
    joined += (joined.empty() ? "" : ", ") + std::string(names[i]);
  }
  return joined;
}

}  // namespace

void OutsideNames::AddService(std::string_view name, OutsideName& out) {
  KnownServiceName known = KnownServices::Shipped().Find(name);
  if (known.class_name.empty()) return;
  out.service = known.name;
  out.service_class = known.class_name;
  out.region = std::move(known.region);
}

void OutsideNames::AddPrefix(const model::Address& address, OutsideName& out) const {
  const PrefixName* const found = prefixes_ == nullptr ? nullptr : prefixes_->Find(address);
  if (found == nullptr) return;
  const bool label = found->rank == PrefixName::Rank::kLabel;
  if (out.source.empty()) {
    out.name = found->name;
    out.source = label ? "label" : "prefix";
  }
  if (out.service_class.empty()) {
    out.service = label ? "" : found->name;
    out.service_class = found->class_name;
  }
  if (out.region.empty()) out.region = found->region;
}

std::string OutsideNames::AskedFor(uint64_t asker, const model::Address& address, UnixMillis start,
                                   UnixMillis end) const {
  const auto found = asker == 0 ? std::vector<const ResolvedAs*>{} : resolved_.Find(asker, address, start, end);
  return found.empty() ? "" : found.front()->name;
}

OutsideName OutsideNames::Of(const model::Address& address, uint16_t port, uint64_t asker, std::string_view server_name,
                             UnixMillis start, UnixMillis end) const {
  OutsideName out;
  if (!server_name.empty()) {
    out.name = Lower(server_name);
    out.source = "sni";
    out.by_name = true;
    AddService(out.name, out);
  }
  const auto found = asker == 0 ? std::vector<const ResolvedAs*>{} : resolved_.Find(asker, address, start, end);
  if (out.source.empty() && !found.empty()) {
    out.name = Joined(found);
    out.source = "dns";
    out.by_name = true;
    AddService(found.front()->name, out);
    // The name may be an alias of a service's.
    if (out.service_class.empty()) AddService(found.front()->canonical, out);
  }
  AddPrefix(address, out);
  if (out.service_class.empty()) out.service_class = ClassOfPort(port);
  if (out.source.empty() && geo_ != nullptr && address.is_public()) {
    GeoName geo = geo_->Find(address);
    if (!geo.organization.empty()) {
      out.name = std::move(geo.organization);
      out.source = "geo";
    }
    if (out.region.empty()) out.region = std::move(geo.country);
  }
  return out;
}

}  // namespace weir::server
