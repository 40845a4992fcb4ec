#include "server/known_services.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::server {
namespace {

std::string Find(std::string_view name) {
  const KnownServiceName found = KnownServices::Shipped().Find(name);
  return fmt::format("{}|{}|{}", found.class_name, found.name, found.region);
}

TEST(KnownServices, TheShippedRulesAreRead) { EXPECT_GT(KnownServices::Shipped().size(), 200U); }

TEST(KnownServices, NamesTheServiceAndItsRegion) {
  EXPECT_EQ(Find("models.s3.us-east-1.amazonaws.com"), "object_store|Amazon S3|us-east-1");
  EXPECT_EQ(Find("s3.eu-central-1.amazonaws.com"), "object_store|Amazon S3|eu-central-1");
  EXPECT_EQ(Find("models.s3.amazonaws.com"), "object_store|Amazon S3|");
  EXPECT_EQ(Find("models.s3-us-west-2.amazonaws.com"), "object_store|Amazon S3|us-west-2");
  EXPECT_EQ(Find("b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com"),
            "object_store|Amazon S3 Express One Zone|us-east-1");
  EXPECT_EQ(Find("123456789012.dkr.ecr.us-east-1.amazonaws.com"), "registry|Amazon ECR|us-east-1");
  EXPECT_EQ(Find("prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com"), "registry|Amazon ECR|us-east-1");
  EXPECT_EQ(Find("dynamodb.us-east-1.amazonaws.com"), "database|Amazon DynamoDB|us-east-1");
  EXPECT_EQ(Find("db.abc.eu-west-1.rds.amazonaws.com"), "database|Amazon RDS|eu-west-1");
  EXPECT_EQ(Find("athena.eu-west-1.amazonaws.com"), "api|AWS|");
  EXPECT_EQ(Find("storage.googleapis.com"), "object_store|Google Cloud Storage|");
  EXPECT_EQ(Find("us-central1-aiplatform.googleapis.com"), "ai_api|Google Vertex AI|us-central1");
  EXPECT_EQ(Find("acct.blob.core.windows.net"), "object_store|Azure Blob Storage|");
  EXPECT_EQ(Find("cas-bridge.xethub.hf.co"), "model_hub|Hugging Face|");
  EXPECT_EQ(Find("registry-1.docker.io"), "registry|Docker Hub|");
  EXPECT_EQ(Find("example.org"), "||");
  EXPECT_EQ(Find("nots3.amazonaws.com.example.org"), "||");
  EXPECT_EQ(Find("evildocker.io"), "||") << "whole labels";
  EXPECT_EQ(Find(""), "||");
  EXPECT_EQ(Find("..."), "||");
}

TEST(KnownServices, ARuleThatIsNoneIsRefusedByItsLine) {
  EXPECT_EQ(KnownServices::Parse("# comment\n\na | b | c.example\n")->size(), 1U);
  EXPECT_EQ(KnownServices::Parse("a | b | c.example\nbroken\n").status().message(),
            "line 2 is not: class | name | pattern, pattern");
  EXPECT_FALSE(KnownServices::Parse("a | b |\n").ok());
}

TEST(KnownServices, PortsOfNetworkFileSystems) {
  EXPECT_EQ(ClassOfPort(2049), "file_store");
  EXPECT_EQ(ClassOfPort(988), "file_store");
  EXPECT_EQ(ClassOfPort(443), "");
}

}  // namespace
}  // namespace weir::server
