#include "kube/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace weir::kube {
namespace {

using testing::HasSubstr;

class AccessTest : public testing::Test {
 protected:
  AccessTest() {
    char pattern[] = "/tmp/weir-kube-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~AccessTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  // A kubeconfig whose cluster and user have these further fields.
  Result<Access> ReadWith(const std::string& cluster, const std::string& user) const {
    return ReadKubeconfig(Write("config",
                                "apiVersion: v1\ncurrent-context: here\ncontexts:\n- name: there\n  context: "
                                "{cluster: x, user: y}\n- name: here\n  context: {cluster: prod, user: me}\n"
                                "clusters:\n- name: prod\n  cluster:\n    server: https://10.0.0.1:6443/\n" +
                                    cluster + "users:\n- name: me\n  user:\n    {}\n" + user));
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder_;
};

std::string WithUser(const std::string& user) {
  return "apiVersion: v1\ncurrent-context: here\ncontexts: [{name: here, context: {cluster: prod, user: me}}]\n"
         "clusters: [{name: prod, cluster: {server: 'https://10.0.0.1:6443/'}}]\nusers:\n- name: me\n  user:\n" +
         user;
}

TEST_F(AccessTest, ReadsTheCurrentContext) {
  Write("ca.pem", "CA");
  const auto access = ReadWith("    certificate-authority: ca.pem\n    tls-server-name: kubernetes\n", "");
  ASSERT_TRUE(access.ok()) << access.status().message();
  EXPECT_EQ(access->server, "https://10.0.0.1:6443");
  EXPECT_EQ(access->cluster, "prod");
  EXPECT_EQ(access->tls.ca_file, folder_ / "ca.pem");
  EXPECT_EQ(access->tls.tls_server_name, "kubernetes");
}

TEST_F(AccessTest, ClientCertificatesComeFromFilesOrInline) {
  Write("me.crt", "CERT");
  Write("me.key", "KEY");
  const auto files =
      ReadKubeconfig(Write("files", WithUser("    client-certificate: me.crt\n    client-key: me.key\n")));
  ASSERT_TRUE(files.ok()) << files.status().message();
  EXPECT_EQ(Content(files->tls.client_certificate_file), "CERT");
  const auto inlined = ReadKubeconfig(Write(
      "inline",
      WithUser(
          "    client-certificate-data: aW5saW5lIGNlcnQ=\n    client-key-data: |\n      aW5saW5l\n      IGtleQ==\n")));
  ASSERT_TRUE(inlined.ok()) << inlined.status().message();
  EXPECT_EQ(Content(inlined->tls.client_certificate_file), "inline cert");
  EXPECT_EQ(Content(inlined->tls.client_key_file), "inline key");
  EXPECT_EQ(Content(inlined->tls.client_key_file), "inline key");  // each reader begins at its start
}

TEST_F(AccessTest, TokenFilesWinOverTokensAndAreReadEachTime) {
  Write("token", "  first\n");
  const auto access = ReadKubeconfig(Write("config", WithUser("    tokenFile: token\n    token: old\n")));
  ASSERT_TRUE(access.ok()) << access.status().message();
  EXPECT_EQ(*access->tls.token_source(), "first");
  Write("token", "second");
  EXPECT_EQ(*access->tls.token_source(), "second");
  EXPECT_EQ(access->tls.bearer_token, "");
  Write("token", " \n");
  EXPECT_EQ(access->tls.token_source().status().code(), Code::kInvalid);
  const auto plain = ReadKubeconfig(Write("config", WithUser("    token: abc\n")));
  EXPECT_EQ(plain->tls.bearer_token, "abc");
}

TEST_F(AccessTest, RefusesWithARemedyWhatItCannotDo) {
  for (const auto& [user, words] : std::vector<std::pair<std::string, std::string>>{
           {"    exec: {command: aws, args: [eks, get-token]}\n", "exec"},
           {"    auth-provider: {name: gcp}\n", "auth-provider"},
           {"    username: admin\n    password: x\n", "username"},
           {"    as: other\n", "'as'"},
           {"    client-certificate: gone.crt\n", "gone.crt"},
           {"    client-certificate-data: '*'\n    client-key-data: YQ==\n", "not base64"},
           {"    client-certificate-data: YQ==\n", "belong together"}}) {
    const Status status = ReadKubeconfig(Write("config", WithUser(user))).status();
    EXPECT_EQ(status.code(), Code::kInvalid) << user;
    EXPECT_THAT(status.message(), HasSubstr(words));
  }
  EXPECT_THAT(ReadKubeconfig(Write("config", WithUser("    exec: {command: aws}\n"))).status().message(),
              HasSubstr("service account"));
  for (const auto& [cluster, words] : std::vector<std::pair<std::string, std::string>>{
           {"    insecure-skip-tls-verify: true\n", "certificate-authority"},
           {"    proxy-url: http://p\n", "https_proxy"}}) {
    EXPECT_THAT(ReadWith(cluster, "").status().message(), HasSubstr(words));
  }
}

TEST_F(AccessTest, BrokenFilesAreNamed) {
  EXPECT_EQ(ReadKubeconfig(folder_ / "none").status().code(), Code::kNotFound);
  for (const char* text :
       {"", "a: [", "- 1\n- 2\n", "current-context: x\n", "current-context: x\ncontexts: 5\n",
        "current-context: here\ncontexts: [{name: here, context: {cluster: gone, user: gone}}]\n", "\x01\x02"}) {
    const Status status = ReadKubeconfig(Write("config", text)).status();
    EXPECT_EQ(status.code(), Code::kInvalid) << text;
    EXPECT_THAT(status.message(), HasSubstr("config")) << text;
  }
  EXPECT_EQ(ReadKubeconfig(Write("config", std::string((1U << 20) + 1, '#'))).status().code(), Code::kInvalid);
}

TEST_F(AccessTest, APodFindsItsServiceAccount) {
  Write("token", "t");
  Write("ca.crt", "CA");
  const auto access = InClusterAccess("10.96.0.1", "443", folder_);
  ASSERT_TRUE(access.ok()) << access.status().message();
  EXPECT_EQ(access->server, "https://10.96.0.1:443");
  EXPECT_EQ(*access->tls.token_source(), "t");
  EXPECT_EQ(InClusterAccess("fd00::1", "443", folder_)->server, "https://[fd00::1]:443");
  EXPECT_EQ(InClusterAccess("", "", folder_).status().code(), Code::kNotFound);
  EXPECT_THAT(InClusterAccess("10.96.0.1", "443", folder_ / "none").status().message(),
              HasSubstr("automountServiceAccountToken"));
}

}  // namespace
}  // namespace weir::kube
