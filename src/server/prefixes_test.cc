#include "server/prefixes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::server {
namespace {

using testing::HasSubstr;

constexpr std::string_view kAws = R"({
  "syncToken": "1763640000", "createDate": "2025-11-20-12-00-00",
  "prefixes": [
    {"ip_prefix": "52.216.0.0/15", "region": "us-east-1", "service": "AMAZON", "network_border_group": "us-east-1"},
    {"ip_prefix": "52.216.0.0/15", "region": "us-east-1", "service": "S3", "network_border_group": "us-east-1"},
    {"ip_prefix": "52.217.8.0/24", "region": "us-east-1", "service": "EC2", "network_border_group": "us-east-1"},
    {"ip_prefix": "3.5.0.0/16", "region": "eu-west-1", "service": "EC2", "network_border_group": "eu-west-1"},
    {"ip_prefix": "3.4.0.0/14", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"},
    {"ip_prefix": "1.2.3.0/24", "region": "eu-west-1", "service": "WORKSPACES_GATEWAYS", "network_border_group": "x"}],
  "ipv6_prefixes": [
    {"ipv6_prefix": "2600:1fa0:8000::/39", "region": "us-east-1", "service": "S3", "network_border_group": "x"}]})";
constexpr std::string_view kGoogle = R"({
  "syncToken": "1", "creationTime": "2025-11-20T12:00:00.63456",
  "prefixes": [{"ipv4Prefix": "34.1.208.0/20", "service": "Google Cloud", "scope": "africa-south1"},
               {"ipv6Prefix": "2600:1900:8000::/44", "service": "Google Cloud", "scope": "global"}]})";
constexpr std::string_view kGoogleAll = R"({"syncToken": "1", "creationTime": "2025-11-20T12:00:00",
  "prefixes": [{"ipv4Prefix": "34.0.0.0/15"}, {"ipv4Prefix": "142.250.0.0/15"}]})";
constexpr std::string_view kAzure = R"({"changeNumber": 7, "cloud": "Public", "values": [
  {"name": "AzureCloud.eastus", "id": "AzureCloud.eastus", "properties": {"changeNumber": 1, "region": "eastus",
   "regionId": 32, "platform": "Azure", "systemService": "", "addressPrefixes": ["20.38.0.0/16"],
   "networkFeatures": ["API", "NSG"]}},
  {"name": "Storage.EastUS", "id": "Storage.EastUS", "properties": {"changeNumber": 1, "region": "eastus",
   "regionId": 32, "platform": "Azure", "systemService": "AzureStorage",
   "addressPrefixes": ["20.38.98.0/24", "2603:1030:210::/48"], "networkFeatures": ["API", "NSG"]}}]})";
constexpr std::string_view kHuggingFace = R"({"hubDomains": ["huggingface.co"], "lfsDomains": ["cdn-lfs.hf.co"],
  "cdnIps": {"aws": ["3.161.0.0/16"], "gcp": {"europe": ["34.99.1.0/24"]}}})";

std::string NameOf(const Prefixes& prefixes, std::string_view address) {
  const PrefixName* const found = prefixes.Find(*model::Address::Parse(address));
  return found == nullptr ? "" : fmt::format("{}|{}|{}", found->name, found->class_name, found->region);
}

TEST(Prefixes, ReadsWhatAwsPublishesTheMostSpecificServiceFirst) {
  Prefixes prefixes;
  const Result<PrefixFile> file = prefixes.AddFile("ip-ranges.json", kAws);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->kind, "aws");
  EXPECT_EQ(file->dated, 1'763'640'000'000);
  EXPECT_EQ(file->prefixes, 7U);
  EXPECT_EQ(NameOf(prefixes, "52.217.1.1"), "Amazon S3|object_store|us-east-1");
  EXPECT_EQ(NameOf(prefixes, "52.217.8.1"), "Amazon S3|object_store|us-east-1") << "before a longer one of EC2";
  EXPECT_EQ(NameOf(prefixes, "3.5.1.1"), "Amazon EC2|compute|eu-west-1");
  EXPECT_EQ(NameOf(prefixes, "3.6.1.1"), "AWS|cloud|");
  EXPECT_EQ(NameOf(prefixes, "1.2.3.4"), "AWS WORKSPACES_GATEWAYS|cloud|eu-west-1");
  EXPECT_EQ(NameOf(prefixes, "2600:1fa0:8001::5"), "Amazon S3|object_store|us-east-1");
  EXPECT_EQ(NameOf(prefixes, "2600:1fa0:7000::5"), "");
  EXPECT_EQ(NameOf(prefixes, "9.9.9.9"), "");
}

TEST(Prefixes, OfGoogleWhatItsCloudDoesNotHaveIsItsApis) {
  Prefixes prefixes;
  ASSERT_TRUE(prefixes.AddFile("goog.json", kGoogleAll).ok());
  const Result<PrefixFile> cloud = prefixes.AddFile("cloud.json", kGoogle);
  ASSERT_TRUE(cloud.ok());
  EXPECT_EQ(cloud->kind, "google");
  EXPECT_EQ(cloud->dated, 1'763'640'000'000);
  EXPECT_EQ(NameOf(prefixes, "34.1.210.1"), "Google Cloud|cloud|africa-south1");
  EXPECT_EQ(NameOf(prefixes, "34.1.1.1"), "Google APIs|api|");
  EXPECT_EQ(NameOf(prefixes, "142.251.1.1"), "Google APIs|api|");
  EXPECT_EQ(NameOf(prefixes, "2600:1900:8000::1"), "Google Cloud|cloud|");
}

TEST(Prefixes, ReadsAzureAndHuggingFace) {
  Prefixes prefixes;
  const Result<PrefixFile> azure = prefixes.AddFile("ServiceTags_Public_20251120.json", kAzure);
  ASSERT_TRUE(azure.ok());
  EXPECT_EQ(azure->kind, "azure");
  EXPECT_EQ(azure->dated, 0);
  EXPECT_EQ(NameOf(prefixes, "20.38.98.7"), "Azure Storage|object_store|eastus");
  EXPECT_EQ(NameOf(prefixes, "20.38.99.7"), "Azure|cloud|eastus");
  EXPECT_EQ(NameOf(prefixes, "2603:1030:210::7"), "Azure Storage|object_store|eastus");
  ASSERT_TRUE(prefixes.AddFile("meta.json", kHuggingFace).ok());
  EXPECT_EQ(NameOf(prefixes, "3.161.7.7"), "Hugging Face|model_hub|");
  EXPECT_EQ(NameOf(prefixes, "34.99.1.7"), "Hugging Face|model_hub|");
}

TEST(Prefixes, TheUsersLabelsWinTheLongestFirst) {
  Prefixes prefixes;
  ASSERT_TRUE(prefixes.AddFile("ip-ranges.json", kAws).ok());
  ASSERT_TRUE(prefixes.AddLabels("10.0.0.0/8=office,10.7.0.0/16=lab, 52.216.0.0/16=our bucket:object_store").ok() ==
              false)
      << "a blank in front of a range";
  ASSERT_TRUE(prefixes.AddLabels("10.0.0.0/8=office,10.7.0.0/16=lab,52.216.0.0/16=our bucket:object_store").ok());
  EXPECT_EQ(NameOf(prefixes, "10.1.1.1"), "office||");
  EXPECT_EQ(NameOf(prefixes, "10.7.1.1"), "lab||");
  EXPECT_EQ(NameOf(prefixes, "52.216.1.1"), "our bucket|object_store|");
  EXPECT_EQ(NameOf(prefixes, "52.217.1.1"), "Amazon S3|object_store|us-east-1");
  for (const char* bad : {"10.0.0.0/8", "10.0.0.0/8=", "=x", "10.0.0.0/40=x", "nonsense=x"}) {
    EXPECT_EQ(prefixes.AddLabels(bad).code(), Code::kInvalid) << bad;
  }
}

TEST(Prefixes, BadFilesAreRefusedWithTheRemedy) {
  Prefixes prefixes;
  for (const size_t length : {size_t{0}, size_t{1}, kAws.size() / 2, kAws.size() - 1}) {
    const Status status = prefixes.AddFile("ip-ranges.json", kAws.substr(0, length)).status();
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_THAT(status.message(), HasSubstr("ip-ranges.json: it is damaged or cut off at byte"));
  }
  EXPECT_EQ(prefixes.size(), 0U) << "nothing of a file that is cut off";
  for (const char* other : {"{}", "[]", "7", R"({"prefixes": []})", R"({"values": [{"properties": 5}]})"}) {
    EXPECT_THAT(prefixes.AddFile("x.json", other).status().message(), HasSubstr("no prefixes of a format"));
  }
  EXPECT_FALSE(prefixes.AddFile("x.json", R"({"prefixes": [{"ip_prefix": "hello", "service": "S3"}]})").ok());
  EXPECT_FALSE(prefixes.AddFile("x.json", std::string(100'000, '[')).ok());
}

TEST(Prefixes, AFileWithMoreThanAMillionIsRefused) {
  std::string text = R"({"prefixes": [)";
  for (size_t i = 0; i <= Prefixes::kMaxPrefixes; ++i) {
    text += fmt::format(R"({}{{"ip_prefix": "{}.{}.{}.0/24", "service": "S3"}})", i == 0 ? "" : ",", i >> 16 & 255,
                        i >> 8 & 255, i & 255);
  }
  text += "]}";
  Prefixes prefixes;
  EXPECT_EQ(prefixes.AddFile("huge.json", text).status().code(), Code::kExhausted);
}

}  // namespace
}  // namespace weir::server
