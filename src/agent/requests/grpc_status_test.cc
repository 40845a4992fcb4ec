#include "agent/requests/grpc_status.h"

#include <gtest/gtest.h>

namespace weir::agent::requests {
namespace {

TEST(GrpcStatus, NumbersAndNothingElse) {
  EXPECT_EQ(ParseGrpcStatus("0"), 0);
  EXPECT_EQ(ParseGrpcStatus("14"), 14);
  EXPECT_EQ(ParseGrpcStatus("999"), 999);
  for (const char* text : {"", "-1", "1000", "1x", " 1", "99999999999999999999"}) {
    EXPECT_EQ(ParseGrpcStatus(text), -1) << text;
  }
}

TEST(GrpcStatus, CodesHaveNames) {
  EXPECT_EQ(GrpcStatusName(0), "OK");
  EXPECT_EQ(GrpcStatusName(14), "UNAVAILABLE");
  EXPECT_EQ(GrpcStatusName(16), "UNAUTHENTICATED");
  EXPECT_EQ(GrpcStatusName(17), "GRPC17");
  EXPECT_EQ(GrpcStatusName(kNoGrpcStatus), kNoGrpcStatusName);
}

TEST(GrpcStatus, TheServerIsToBlameForSome) {
  EXPECT_TRUE(IsGrpcServerError(14));
  EXPECT_TRUE(IsGrpcServerError(kNoGrpcStatus));
  EXPECT_FALSE(IsGrpcServerError(0));
  EXPECT_FALSE(IsGrpcServerError(5)) << "what is asked for and is not there is no failure, as with 404";
  EXPECT_FALSE(IsGrpcServerError(-1)) << "not known";
}

TEST(GrpcStatus, ContentTypes) {
  EXPECT_TRUE(IsGrpcType("application/grpc"));
  EXPECT_TRUE(IsGrpcType("application/grpc+proto"));
  EXPECT_TRUE(IsGrpcType("application/grpc;charset=utf-8"));
  EXPECT_FALSE(IsGrpcType("application/grpc-web+proto"));
  EXPECT_FALSE(IsGrpcType("application/json"));
}

}  // namespace
}  // namespace weir::agent::requests
