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

TEST(Status, RemediesStayApartWhateverIsSaidBesideThem) {
  const Status plain = Status::Invalid("a; b");
  EXPECT_EQ(plain.problem(), "a; b");
  EXPECT_EQ(plain.remedy(), "");
  const Status full = Status::Exhausted("the disk is full").WithRemedy("make room; or wait").WithPosition(7);
  EXPECT_EQ(full.message(), "the disk is full; make room; or wait");
  EXPECT_EQ(full.problem(), "the disk is full");
  EXPECT_EQ(full.remedy(), "make room; or wait");
  const Status said = Status(full).Annotate("insert").Because("DB::Exception: 3; 4");
  EXPECT_EQ(said.message(), "insert: the disk is full: DB::Exception: 3; 4; make room; or wait");
  EXPECT_EQ(said.problem(), "insert: the disk is full: DB::Exception: 3; 4");
  EXPECT_EQ(said.remedy(), "make room; or wait");
  EXPECT_EQ(said.position(), 7U);
  EXPECT_EQ(said.code(), Code::kExhausted);
  EXPECT_EQ(Status(full).Because(std::string(2'000, 'x'), 3).problem(), "the disk is full: xxx...");
  EXPECT_EQ(Status(full).Shortened(8).message(), "the disk...; make room; or wait");
  EXPECT_EQ(Status(full).WithRemedy("another").remedy(), "make room; or wait") << "the first one knows best";
  EXPECT_EQ(Status::Ok().WithRemedy("none").message(), "");
}

}  // namespace
}  // namespace weir
