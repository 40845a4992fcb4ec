#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace weir {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Status::Invalid("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  WEIR_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(Status, AnnotateAddsContextAndKeepsTheCode) {
  const Status status = Status::FromErrno(EPERM, "bpf").Annotate("attach tcp_state");
  EXPECT_EQ(status.code(), Code::kDenied);
  EXPECT_EQ(status.message(), "attach tcp_state: bpf: Operation not permitted");
}

TEST(Status, AssignOrReturnPassesErrorsUp) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

}  // namespace
}  // namespace weir
