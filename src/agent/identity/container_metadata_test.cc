#include "agent/identity/container_metadata.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace weir::agent::identity {
namespace {

namespace fs = std::filesystem;

const std::string kId(64, 'c');

class ContainerMetadataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-containers-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
  }
  void TearDown() override { fs::remove_all(top_); }
  void Write(const fs::path& path, const std::string& text) {
    fs::create_directories((top_ / path).parent_path());
    std::ofstream(top_ / path) << text;
  }
  ContainerMetadata Read(const std::string& id = kId) {
    return ContainerMetadataReader({top_ / "docker", top_ / "containerd", top_ / "podman", top_ / "bundles"}).Read(id);
  }
  fs::path top_;
};

TEST_F(ContainerMetadataTest, Docker) {
  Write("docker/" + kId + "/config.v2.json", R"({"ID": "x", "Name": "/web", "Config": {"Image": "nginx:1.27"}})");
  EXPECT_EQ(Read(), (ContainerMetadata{"web", "nginx:1.27"}));
}

TEST_F(ContainerMetadataTest, ContainerdOfKubernetesAndNerdctl) {
  Write("containerd/moby/other/config.json", "{}");
  Write("containerd/k8s.io/" + kId + "/config.json",
        R"({"ociVersion": "1.2", "annotations": {"io.kubernetes.cri.container-name": "app",
            "io.kubernetes.cri.image-name": "registry.example/app:7"}})");
  EXPECT_EQ(Read(), (ContainerMetadata{"app", "registry.example/app:7"}));
  const std::string other(64, 'd');
  Write("containerd/default/" + other + "/config.json", R"({"annotations": {"nerdctl/name": "web"}})");
  EXPECT_EQ(Read(other), (ContainerMetadata{"web", ""}));
}

TEST_F(ContainerMetadataTest, CrioAndPodman) {
  Write("bundles/" + kId + "/userdata/config.json",
        R"({"annotations": {"io.kubernetes.container.name": "app", "io.kubernetes.cri-o.ImageName": "app:7"}})");
  EXPECT_EQ(Read(), (ContainerMetadata{"app", "app:7"}));
  const std::string other(64, 'd');
  Write("bundles/" + other + "/userdata/config.json", R"({"annotations": {}})");
  Write("podman/containers.json", R"([{"id": ")" + kId + R"(", "names": ["x"]}, {"id": ")" + other +
                                      R"(", "names": ["web", "alias"], "metadata": "{\"image-name\": \"nginx\"}"}])");
  EXPECT_EQ(Read(other), (ContainerMetadata{"web", "nginx"}));
}

TEST_F(ContainerMetadataTest, WhatIsBrokenHostileOrAbsentIsUnknown) {
  EXPECT_TRUE(Read().empty());
  EXPECT_TRUE(Read("../../etc/passwd").empty());
  EXPECT_TRUE(Read(std::string(64, '.')).empty());
  for (const char* text : {"", "{", "[]", "7", R"({"Name": 7, "Config": []})", R"([{"id": 7}])"}) {
    Write("docker/" + kId + "/config.v2.json", text);
    Write("containerd/a/" + kId + "/config.json", text);
    Write("podman/containers.json", text);
    EXPECT_TRUE(Read().empty()) << text;
  }
  Write("docker/" + kId + "/config.v2.json", R"({"Name": "/a\u001b[2Jb"})");
  EXPECT_EQ(Read().name, "a?[2Jb");
  Write("docker/" + kId + "/config.v2.json", R"({"Name": "/web", "x": ")" + std::string(2'000'000, 'x') + "\"}");
  EXPECT_TRUE(Read().empty()) << "larger than any honest one";
}

}  // namespace
}  // namespace weir::agent::identity
