#include "wire/ack_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/v1/ack.pb.h"

namespace weir::wire {
namespace {

using testing::HasSubstr;

Ack Sample() {
  Ack ack{true, 1'700'000'000'000'001, {}};
  ack.names.to = {1'700'000'000'000, 42};
  ack.names.complete = true;
  ack.names.pods = {{"uid-1", "prod", "shop", "cart-7d9-x2x", "Deployment", "cart", {{"c1", "app"}, {"c2", "proxy"}}},
                    {"uid-2", "", "kube-system", "etcd", "Node", "n1", {}}};
  ack.names.gone = {"uid-3"};
  return ack;
}

std::string ReasonFor(const v1::Ack& message) {
  const Result<Ack> decoded = DecodeAck(message.SerializeAsString());
  return decoded.ok() ? "accepted" : decoded.status().message();
}

TEST(AckCodec, CarriesEveryField) {
  const Result<std::string> bytes = EncodeAck(Sample());
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<Ack> decoded = DecodeAck(*bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->watermark, Sample().watermark);
  EXPECT_TRUE(decoded->duplicate);
  EXPECT_EQ(decoded->names, Sample().names);
}

TEST(AckCodec, WithoutNamesItIsAFewBytes) {
  const Result<std::string> bytes = EncodeAck({false, 17, {}});
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, "\x08\x11");
  EXPECT_EQ(DecodeAck(*bytes)->names, model::PodNames{});
  EXPECT_EQ(DecodeAck("")->watermark, 0U);
}

TEST(AckCodec, MakesNamesCleanAndRefusesThoseThatAreNot) {
  Ack ack;
  ack.names.pods = {{"u", "", "a\x1b[2Jb", std::string(300, 'p'), "", "", {}}};
  const Result<Ack> decoded = DecodeAck(*EncodeAck(ack));
  ASSERT_TRUE(decoded.ok());
  EXPECT_THAT(decoded->names.pods[0].name_space, testing::Not(HasSubstr("\x1b")));
  EXPECT_EQ(decoded->names.pods[0].pod.size(), 256U);

  v1::Ack message;
  v1::PodName& pod = *message.mutable_names()->add_pods();
  EXPECT_EQ(ReasonFor(message), "a pod without uid");
  pod.set_uid("u");
  pod.set_pod("a\nb");
  EXPECT_EQ(ReasonFor(message), "pod has control characters or bad UTF-8");
  pod.set_pod(std::string(257, 'p'));
  EXPECT_EQ(ReasonFor(message), "pod has 257 bytes, more than 256");
}

TEST(AckCodec, IsBoundedBeforeItIsParsed) {
  EXPECT_THAT(DecodeAck(std::string(kMaxAckBytes + 1, '\0')).status().message(), HasSubstr("more than 1048576"));
  v1::Ack message;
  for (size_t i = 0; i <= model::kMaxPodNames; ++i) message.mutable_names()->add_gone("u");
  EXPECT_EQ(ReasonFor(message), "names of 1001 pods, more than 1000");
  for (size_t i = 0; i < 400'000; ++i) message.mutable_names()->add_gone("");
  EXPECT_THAT(ReasonFor(message), HasSubstr("parts, more than 200016"));
  EXPECT_EQ(DecodeAck("\x0b").status().message(), "not a protobuf message");
  EXPECT_EQ(DecodeAck("\x1a\x7f").status().message(), "not a protobuf message");

  Ack many;
  many.names.gone.assign(model::kMaxPodNames + 1, "u");
  EXPECT_FALSE(EncodeAck(many).ok());
}

TEST(AckCodec, CutAnywhereItIsRefusedOrShorter) {
  const std::string bytes = *EncodeAck(Sample());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Result<Ack> decoded = DecodeAck(bytes.substr(0, length));
    if (!decoded.ok()) continue;
    EXPECT_NE(decoded->names, Sample().names) << length;
  }
}

TEST(AckCodec, NamesOnDiskComeBack) {
  model::PodNames names = Sample().names;
  EXPECT_EQ(*DecodePodNames(EncodePodNames(names), 3), names);
  EXPECT_FALSE(DecodePodNames(EncodePodNames(names), 2).ok());
}

}  // namespace
}  // namespace weir::wire
