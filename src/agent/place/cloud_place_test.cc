#include "agent/place/cloud_place.h"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

namespace weir::agent {
namespace {

// Answers as the metadata services do, and refuses what they refuse.
class FakeMetadata final : public net::HttpClient {
 public:
  Result<net::ClientResponse> Send(const net::ClientRequest& request) override {
    asked.push_back(request.method + " " + request.url);
    const auto header = [&](const char* name) {
      const auto found = request.headers.find(name);
      return found == request.headers.end() ? std::string() : found->second;
    };
    const std::string path = request.url.substr(std::string("http://meta").size());
    if (path == "/latest/api/token" && request.method == "PUT") return net::ClientResponse{200, {}, "TOKEN"};
    if (path.starts_with("/latest/") && header("X-aws-ec2-metadata-token") != "TOKEN") return Refused();
    if (path == "/latest/meta-data/placement/availability-zone") return net::ClientResponse{200, {}, "eu-central-1a"};
    if (path == "/latest/meta-data/placement/region") return net::ClientResponse{200, {}, region};
    if (path == "/computeMetadata/v1/instance/zone" && header("Metadata-Flavor") == "Google") {
      return net::ClientResponse{200, {}, "projects/12/zones/europe-west1-b"};
    }
    if (path.starts_with("/metadata/instance/compute") && header("Metadata") == "true") {
      return net::ClientResponse{200, {}, azure};
    }
    return Refused();
  }
  Status Stream(const net::ClientRequest&, const std::function<bool(std::string_view)>&) override {
    return Status::Internal("not used");
  }
  static net::ClientResponse Refused() { return {401, {}, ""}; }

  std::vector<std::string> asked;
  std::string region = "eu-central-1";
  std::string azure = R"({"location": "westeurope", "zone": "2"})";
};

Result<Place> Ask(Cloud cloud, FakeMetadata& metadata) {
  const std::atomic<bool> abort{false};
  return AskCloud(cloud, "http://meta", metadata, abort);
}

TEST(CloudPlace, EveryCloudTellsZoneAndRegionInItsOwnWay) {
  FakeMetadata metadata;
  EXPECT_EQ(*Ask(Cloud::kAws, metadata), (Place{"eu-central-1a", "eu-central-1"}));
  EXPECT_EQ(*Ask(Cloud::kGoogle, metadata), (Place{"europe-west1-b", "europe-west1"}));
  EXPECT_EQ(*Ask(Cloud::kAzure, metadata), (Place{"westeurope-2", "westeurope"}));
  metadata.azure = R"({"location": "westindia", "zone": ""})";
  EXPECT_EQ(*Ask(Cloud::kAzure, metadata), (Place{"westindia", "westindia"}));
}

TEST(CloudPlace, OnMachinesOfNoCloudNobodyIsAsked) {
  FakeMetadata metadata;
  EXPECT_EQ(Ask(Cloud::kNone, metadata).status().code(), Code::kNotFound);
  EXPECT_TRUE(metadata.asked.empty());
}

TEST(CloudPlace, AnswersThatAreNoNamesAreRefused) {
  FakeMetadata metadata;
  for (const std::string& region : {std::string(), std::string("<html>"), std::string("a b"), std::string(65, 'a')}) {
    metadata.region = region;
    EXPECT_EQ(Ask(Cloud::kAws, metadata).status().code(), Code::kInvalid) << region;
  }
  for (const char* text : {"", "[]", "{", "{\"location\": 7}"}) {
    metadata.azure = text;
    EXPECT_EQ(Ask(Cloud::kAzure, metadata).status().code(), Code::kInvalid) << text;
  }
}

TEST(CloudPlace, FirmwareSaysWhichCloudItIs) {
  const std::filesystem::path dmi = testing::TempDir() + "weir-dmi";
  const auto say = [&](const char* file, const char* text) {
    std::filesystem::create_directories(dmi);
    std::ofstream(dmi / file) << text << "\n";
  };
  std::filesystem::remove_all(dmi);
  EXPECT_EQ(CloudOf(dmi), Cloud::kNone);
  say("sys_vendor", "Amazon EC2");
  EXPECT_EQ(CloudOf(dmi), Cloud::kAws);
  say("sys_vendor", "Xen");
  say("bios_version", "4.11.amazon");
  EXPECT_EQ(CloudOf(dmi), Cloud::kAws);
  say("bios_version", "1.0");
  say("sys_vendor", "Google");
  EXPECT_EQ(CloudOf(dmi), Cloud::kGoogle);
  say("sys_vendor", "Microsoft Corporation");
  EXPECT_EQ(CloudOf(dmi), Cloud::kNone) << "a virtual machine of somebody's own";
  say("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77");
  EXPECT_EQ(CloudOf(dmi), Cloud::kAzure);
}

TEST(CloudPlace, WhatIsGivenIsNeverAskedFor) {
  const PlaceFinder finder(Place{"rack-7", "cellar"});
  EXPECT_EQ(finder.place(), (Place{"rack-7", "cellar"}));
}

}  // namespace
}  // namespace weir::agent
