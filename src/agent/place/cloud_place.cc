#include "agent/place/cloud_place.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace weir::agent {
namespace {

constexpr std::string_view kMetadata = "http://169.254.169.254";
constexpr std::string_view kAzureChassis = "7783-7084-3265-9085-8269-3286-77";  // of every virtual machine of theirs
constexpr std::chrono::milliseconds kPatience{2'000};
constexpr size_t kMaxAnswerBytes = 65'536;
constexpr size_t kMaxNameBytes = 64;

std::string FirstLine(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

class Questions {
 public:
  Questions(std::string base, net::HttpClient& client, const std::atomic<bool>& abort)
      : base_(std::move(base)), client_(client), abort_(abort) {}

  Result<std::string> Ask(const std::string& path, std::map<std::string, std::string> headers,
                          const std::string& method = "GET") {
    net::ClientRequest request;
    request.method = method;
    request.url = base_ + path;
    request.headers = std::move(headers);
    request.timeout = kPatience;
    request.max_response_bytes = kMaxAnswerBytes;
    request.abort = &abort_;
    WEIR_ASSIGN_OR_RETURN(net::ClientResponse response, client_.Send(request));
    if (response.status != 200) {
      return Status::Unavailable(request.url + " answered " + std::to_string(response.status));
    }
    return std::move(response.body);
  }

 private:
  const std::string base_;
  net::HttpClient& client_;
  const std::atomic<bool>& abort_;
};

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html, version 2.
Result<Place> AskAws(Questions& questions) {
  WEIR_ASSIGN_OR_RETURN(const std::string token,
                        questions.Ask("/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}}, "PUT"));
  Place place;
  for (auto& [text, name] : {std::pair{&place.zone, "availability-zone"}, std::pair{&place.region, "region"}}) {
    WEIR_ASSIGN_OR_RETURN(*text, questions.Ask(std::string("/latest/meta-data/placement/") + name,
                                               {{"X-aws-ec2-metadata-token", token}}));
  }
  return place;
}

// https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys: "projects/123/zones/europe-west1-b".
Result<Place> AskGoogle(Questions& questions) {
  WEIR_ASSIGN_OR_RETURN(const std::string path,
                        questions.Ask("/computeMetadata/v1/instance/zone", {{"Metadata-Flavor", "Google"}}));
  Place place;
  place.zone = path.substr(path.rfind('/') + 1);
  place.region = place.zone.substr(0, place.zone.rfind('-'));
  return place;
}

// https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service; zones are numbers within their region.
Result<Place> AskAzure(Questions& questions) {
  WEIR_ASSIGN_OR_RETURN(const std::string text,
                        questions.Ask("/metadata/instance/compute?api-version=2021-02-01", {{"Metadata", "true"}}));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto at = [&](const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Place place;
  place.region = at("location");
  const std::string zone = at("zone");
  place.zone = place.region + (zone.empty() ? "" : "-" + zone);  // outside of zones the region is the nearest there is
  return place;
}

}  // namespace

Cloud CloudOf(const std::filesystem::path& dmi) {
  const std::string vendor = FirstLine(dmi / "sys_vendor");
  if (vendor == "Amazon EC2" || FirstLine(dmi / "bios_version").find("amazon") != std::string::npos) return Cloud::kAws;
  if (vendor == "Google") return Cloud::kGoogle;
  if (FirstLine(dmi / "chassis_asset_tag") == kAzureChassis) return Cloud::kAzure;
  return Cloud::kNone;
}

Result<Place> AskCloud(Cloud cloud, const std::string& base, net::HttpClient& client, const std::atomic<bool>& abort) {
  Questions questions(base, client, abort);
  const auto ask = [&]() -> Result<Place> {
    switch (cloud) {
      case Cloud::kAws: return AskAws(questions);
      case Cloud::kGoogle: return AskGoogle(questions);
      case Cloud::kAzure: return AskAzure(questions);
      case Cloud::kNone: break;
    }
    return Status::NotFound("this machine is of no cloud that is known");
  };
  WEIR_ASSIGN_OR_RETURN(Place place, ask());
  if (!IsName(place.zone) || !IsName(place.region)) return Status::Invalid(base + " names no zone and region");
  return place;
}

PlaceFinder::PlaceFinder(Place given) : place_(std::move(given)) {
  if (!place_.zone.empty()) return;
  const Cloud cloud = CloudOf("/sys/class/dmi/id");
  if (cloud == Cloud::kNone) return;
  thread_ = std::thread([this, cloud] {
    NameThisThread("weir-place");
    const auto client = net::HttpClient::Create({});
    const Result<Place> found = AskCloud(cloud, std::string(kMetadata), *client, stopping_);
    if (!found.ok()) {
      LogInfo("the zone of this machine is unknown: {}; give it with --zone and --region", found.status().message());
      return;
    }
    const std::lock_guard lock(mutex_);
    place_.zone = found->zone;
    if (place_.region.empty()) place_.region = found->region;
  });
}

PlaceFinder::~PlaceFinder() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

Place PlaceFinder::place() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

}  // namespace weir::agent
