#include "apps/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::apps {
namespace {

using ::testing::HasSubstr;

model::Pod PodAt(const std::string& address) {
  model::Pod pod;
  pod.uid = "u";
  pod.name = "llm-0";
  pod.name_space = "shop";
  pod.phase = "Running";
  pod.addresses = {*model::Address::Parse(address)};
  return pod;
}

model::Pod WithImage(const std::string& image, std::vector<uint16_t> ports = {}) {
  model::Pod pod = PodAt("10.0.0.5");
  pod.containers.resize(1);
  pod.containers[0].image = image;
  pod.containers[0].tcp_ports = std::move(ports);
  return pod;
}

std::string UrlOf(const model::Pod& pod) {
  const auto target = TargetOf(pod, "prod", InferenceServers::Shipped());
  return target ? target->url : "";
}

TEST(Targets, NamesAndUrls) {
  const auto targets =
      ParseTargets("shop/llm=http://10.0.0.5:8000/m?x=1,http://127.0.0.1:9000,https://[::1]:9/,http://llm.example");
  ASSERT_TRUE(targets.ok()) << targets.status().message();
  ASSERT_EQ(targets->size(), 4U);
  EXPECT_EQ((*targets)[0].name, "shop/llm");
  EXPECT_EQ((*targets)[0].url, "http://10.0.0.5:8000/m?x=1");
  EXPECT_EQ((*targets)[0].port, 8000);
  EXPECT_EQ((*targets)[1].name, "");
  EXPECT_EQ((*targets)[1].url, "http://127.0.0.1:9000/metrics");
  EXPECT_EQ((*targets)[2].host, "::1");
  EXPECT_EQ((*targets)[2].url, "https://[::1]:9/");
  EXPECT_EQ((*targets)[3].port, 80);
}

TEST(Targets, NothingSecretAndNoOtherScheme) {
  for (const char* bad : {"file:///etc/passwd", "http://user:secret@host/metrics", "a=", "ftp://x", "nonsense"}) {
    const auto targets = ParseTargets(bad);
    ASSERT_FALSE(targets.ok()) << bad;
    EXPECT_THAT(targets.status().message(), ::testing::Not(HasSubstr("secret@")));
  }
}

TEST(PodTargets, AnnotationsSayWhere) {
  model::Pod pod = PodAt("10.0.0.5");
  EXPECT_EQ(UrlOf(pod), "");
  pod.annotations = {{"prometheus.io/scrape", "true"}, {"prometheus.io/port", "8002"}, {"prometheus.io/path", "/m"}};
  EXPECT_EQ(UrlOf(pod), "http://10.0.0.5:8002/m");
  const auto target = TargetOf(pod, "prod", InferenceServers::Shipped());
  EXPECT_EQ(target->pod, "llm-0");
  EXPECT_EQ(target->cluster, "prod");
  pod.annotations["prometheus.io/port"] = "70000";
  EXPECT_EQ(UrlOf(pod), "") << "no port, and none is declared";
  pod.annotations["prometheus.io/port"] = "8002";
  pod.annotations["prometheus.io/path"] = "/a b";
  EXPECT_EQ(UrlOf(pod), "");
  pod.annotations["prometheus.io/path"] = "@evil.example/";
  EXPECT_EQ(UrlOf(pod), "");
}

TEST(PodTargets, PortsAndImagesOfKnownServers) {
  EXPECT_EQ(UrlOf(WithImage("vllm/vllm-openai:latest")), "http://10.0.0.5:8000/metrics");
  EXPECT_EQ(UrlOf(WithImage("vllm/vllm-openai:latest", {9000})), "http://10.0.0.5:9000/metrics");
  EXPECT_EQ(UrlOf(WithImage("nvcr.io/nvidia/tritonserver:24.10-py3", {8000, 8001, 8002})),
            "http://10.0.0.5:8002/metrics");
  EXPECT_EQ(UrlOf(WithImage("nginx:1", {80})), "");
  model::Pod named = WithImage("mine:1", {80, 9100});
  named.containers[0].metrics_port = 9100;
  EXPECT_EQ(UrlOf(named), "http://10.0.0.5:9100/metrics");
  named.annotations["prometheus.io/scrape"] = "false";
  EXPECT_EQ(UrlOf(named), "");
  model::Pod v6 = WithImage("vllm/vllm-openai");
  v6.addresses = {*model::Address::Parse("fd00::5")};
  EXPECT_EQ(UrlOf(v6), "http://[fd00::5]:8000/metrics");
}

TEST(PodTargets, NeitherTheNodesNetworkNorAddressesThatAreNoPods) {
  model::Pod pod = WithImage("vllm/vllm-openai");
  pod.host_network = true;
  EXPECT_EQ(UrlOf(pod), "") << "an annotation would choose any port of the node";
  pod.host_network = false;
  pod.phase = "Succeeded";
  EXPECT_EQ(UrlOf(pod), "");
  pod.phase = "Running";
  for (const char* address : {"169.254.169.254", "127.0.0.1", "::1", "0.0.0.0"}) {
    pod.addresses = {*model::Address::Parse(address)};
    EXPECT_EQ(UrlOf(pod), "") << address;
  }
}

}  // namespace
}  // namespace weir::apps
