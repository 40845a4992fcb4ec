#include "agent/node/proc_text.h"

#include <gtest/gtest.h>

#include <map>

namespace weir::agent::node {
namespace {

using Values = std::map<std::string, uint64_t>;

Values Groups(std::string_view text) {
  Values values;
  ParseGroups(text, [&](std::string_view group, std::string_view name, uint64_t value) {
    values[std::string(group) + "." + std::string(name)] = value;
  });
  return values;
}

TEST(ProcText, GroupsPairNamesWithValues) {
  EXPECT_EQ(Groups("Tcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 17\nUdp: NoPorts\nUdp: 4\n"),
            (Values{{"Tcp.RtoMin", 200}, {"Tcp.RetransSegs", 17}, {"Udp.NoPorts", 4}}));
}

TEST(ProcText, GroupsOfAnotherShapeCostThemselvesOnly) {
  EXPECT_EQ(Groups("Tcp: A B\nUdp: 1 2\nIp: C\nIp: 3\n"), (Values{{"Ip.C", 3}}));
  EXPECT_EQ(Groups("Tcp: A B C\nTcp: 1 2"), (Values{{"Tcp.A", 1}, {"Tcp.B", 2}}));
  EXPECT_TRUE(Groups("Tcp: A").empty());
  EXPECT_TRUE(Groups("\n\n").empty());
}

TEST(ProcText, SoftnetNamesItsCpu) {
  const auto cpus = ParseSoftnet(
      "0000000a 00000001 00000002 0 0 0 0 0 0 0 0 00000000 00000003 0 0\n"
      "ffffffff 00000000 00000000 0 0 0 0 0 0 0\n"
      "zz\n");
  ASSERT_EQ(cpus.size(), 2U);
  EXPECT_EQ(cpus[0].cpu, 3U);
  EXPECT_EQ(cpus[0].processed, 10U);
  EXPECT_EQ(cpus[0].dropped, 1U);
  EXPECT_EQ(cpus[0].squeezed, 2U);
  EXPECT_EQ(cpus[1].cpu, 1U) << "before 5.10: the line's number";
  EXPECT_EQ(cpus[1].processed, 0xffff'ffffU);
}

TEST(ProcText, ConntrackAddsUpItsCpus) {
  Values sums;
  ParseConntrack("entries  found insert_failed drop\n00000001  00000002 00000003 0000000a\n1 2 4 10\n",
                 [&](std::string_view name, uint64_t sum) { sums[std::string(name)] = sum; });
  EXPECT_EQ(sums, (Values{{"entries", 2}, {"found", 4}, {"insert_failed", 7}, {"drop", 26}}));
}

TEST(ProcText, PressureIsTheTotalOfSome) {
  EXPECT_EQ(ParsePressure("some avg10=8.27 avg60=22.44 avg300=20.82 total=7159244751\nfull avg10=0.00 total=9\n"),
            7159244751U);
  EXPECT_EQ(ParsePressure("full avg10=0.00 total=9\n"), std::nullopt);
  EXPECT_EQ(ParsePressure("some avg10=0.00 total=x\n"), std::nullopt);
}

TEST(ProcText, Numbers) {
  EXPECT_EQ(ParseNumber("42\n"), 42U);
  EXPECT_EQ(ParseNumber("N/A (no PMA)\n"), std::nullopt);
  EXPECT_EQ(ParseNumber(""), std::nullopt);
  EXPECT_EQ(ParseNumber("99999999999999999999999"), std::nullopt);
}

TEST(ProcText, AFileOfTheKernelIsReadWhole) {
  const auto text = ReadText("/proc/self/maps");
  ASSERT_TRUE(text.ok());
  EXPECT_GT(text->size(), 4'096U) << "more than one page";
  EXPECT_EQ(text->back(), '\n');
  EXPECT_EQ(ReadText("/proc/self/nothing").status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace weir::agent::node
