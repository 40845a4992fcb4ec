#include "model/filter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "model/filter_lexer.h"
#include "model/filter_parser.h"
#include "model/row_edit.h"

namespace weir::model {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

FlowRow Web() {
  FlowRow row;
  row.protocol = "tcp";
  row.client_address = *Address::Parse("10.1.2.3");
  row.server_address = *Address::Parse("fd00::5");
  row.server_port = 443;
  SetAttribute(row, "client_process", "curl");
  SetAttribute(row, "server_process", "nginx");
  SetAttribute(row, "client_container", "c1");
  SetAttribute(row, "server_node", "host-b");
  row.client_reports = 1;
  row.bytes_to_server = 1'000;
  row.bytes_to_client = 9'000;
  row.segments_to_server = 100;
  row.segments_to_client = 100;
  row.retransmits_to_server = 4;
  row.client_rtt_count = 2;
  row.client_rtt_sum_us = 40'000;
  row.client_rtt_min_us = 15'000;
  row.client_rtt_histogram.Add(20'000, 2);
  return row;
}

bool Matches(std::string_view text, const FlowRow& row = Web()) {
  const Result<Filter> filter = Filter::Parse(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status().message();
  return filter.ok() && filter->Matches(row);
}

std::string Problem(std::string_view text) {
  const Result<Filter> filter = Filter::Parse(text);
  EXPECT_FALSE(filter.ok()) << text;
  if (filter.ok()) return "";
  EXPECT_EQ(filter.status().code(), Code::kInvalid);
  return filter.status().message();
}

TEST(Filter, EmptyMatchesEverything) {
  for (const std::string_view text : {"", "  ", "\n\t "}) {
    EXPECT_TRUE(Matches(text));
    EXPECT_TRUE(Filter::Parse(text)->empty());
  }
  EXPECT_TRUE(Filter().Matches(FlowRow{}));
}

TEST(Filter, ComparesNumbers) {
  EXPECT_TRUE(Matches("server_port = 443"));
  EXPECT_FALSE(Matches("server_port = 80"));
  EXPECT_FALSE(Matches("server_port = 443.5"));
  EXPECT_TRUE(Matches("server_port != 80"));
  EXPECT_TRUE(Matches("server_port < 444"));
  EXPECT_FALSE(Matches("server_port < 443"));
  EXPECT_TRUE(Matches("server_port <= 443"));
  EXPECT_TRUE(Matches("server_port > 442"));
  EXPECT_FALSE(Matches("server_port > 443"));
  EXPECT_TRUE(Matches("server_port >= 443"));
  EXPECT_TRUE(Matches("server_port in (80, 443)"));
  EXPECT_FALSE(Matches("server_port not in (80, 443)"));
  EXPECT_TRUE(Matches("server_port not in (80)"));
  EXPECT_TRUE(Matches("server_port > -1"));
  EXPECT_TRUE(Matches("port=443"));
}

TEST(Filter, ComparesMeasuresAndDerivedColumns) {
  EXPECT_TRUE(Matches("bytes = 10k"));
  EXPECT_TRUE(Matches("retransmit_percent = 2%"));
  EXPECT_TRUE(Matches("retransmit_percent > 1.5"));
  EXPECT_TRUE(Matches("rtt_avg_us = 20ms"));
  EXPECT_TRUE(Matches("rtt_p99_us > 15ms and rtt_p99_us < 0.025s"));
  EXPECT_TRUE(Matches("reported_by = client"));
  EXPECT_TRUE(Matches("connections_open = 0"));
}

TEST(Filter, ComparesText) {
  EXPECT_TRUE(Matches("client_process = curl"));
  EXPECT_FALSE(Matches("client_process = CURL"));
  EXPECT_TRUE(Matches("client_process != Curl"));
  EXPECT_TRUE(Matches("server_process ~ ^ng"));
  EXPECT_TRUE(Matches("server_process ~ gin"));
  EXPECT_TRUE(Matches("server_process ~ '(?i)NGINX|envoy'"));
  EXPECT_FALSE(Matches("server_process !~ ng.nx"));
  EXPECT_TRUE(Matches("server_process in (envoy, \"nginx\")"));
  EXPECT_TRUE(Matches("server_unit = ''"));
  EXPECT_TRUE(Matches("server_node = host-b"));
}

TEST(Filter, ComparesAddresses) {
  EXPECT_TRUE(Matches("client_address = 10.1.2.3"));
  EXPECT_TRUE(Matches("client_address = ::ffff:10.1.2.3"));
  EXPECT_TRUE(Matches("client_address in 10.0.0.0/8"));
  EXPECT_TRUE(Matches("client_address = 10.0.0.0/8"));
  EXPECT_FALSE(Matches("client_address in 10.2.0.0/16"));
  EXPECT_TRUE(Matches("client_address not in 10.2.0.0/16"));
  EXPECT_TRUE(Matches("server_address in (192.168.0.0/16, fd00::/8)"));
  EXPECT_FALSE(Matches("server_address in 0.0.0.0/0")) << "an IPv6 address is in no IPv4 prefix";
  EXPECT_TRUE(Matches("server_address in ::/0"));
}

TEST(Filter, EitherEndMeansAnyAndNotNone) {
  EXPECT_TRUE(Matches("process = curl"));
  EXPECT_TRUE(Matches("process = nginx"));
  EXPECT_FALSE(Matches("process != curl"));
  EXPECT_FALSE(Matches("process != nginx"));
  EXPECT_TRUE(Matches("process != envoy"));
  EXPECT_FALSE(Matches("process !~ ^n"));
  EXPECT_TRUE(Matches("process not in (a, b)"));
  EXPECT_TRUE(Matches("address in fd00::/8 and address = 10.1.2.3"));
  EXPECT_TRUE(Matches("container = c1 and node = host-b and unit = ''"));
}

TEST(Filter, UnknownValuesMatchNothing) {
  const FlowRow silent;
  for (const std::string_view field : {"rtt_avg_us", "rtt_min_us", "rtt_max_us", "rtt_p50_us", "rtt_p90_us",
                                       "rtt_p99_us", "client_rtt_min_us", "client_rtt_max_us", "server_rtt_min_us",
                                       "server_rtt_max_us", "connect_avg_us", "connect_max_us", "retransmit_percent"}) {
    for (const std::string_view comparison : {"= 0", "!= 5", "< 1", ">= 0", "in (0)", "not in (5)"}) {
      EXPECT_FALSE(Matches(fmt::format("{} {}", field, comparison), silent)) << field << comparison;
    }
    EXPECT_TRUE(Matches(fmt::format("not {} = 0", field), silent));
  }
  EXPECT_TRUE(Matches("bytes = 0 and connections_open < 1", silent));
}

// Truth tables over three independent comparisons hold the parser's precedence against C++'s own.
TEST(Filter, AndBindsTighterThanOrAndNotTightest) {
  for (int bits = 0; bits < 8; ++bits) {
    FlowRow row;
    row.server_port = (bits & 1) != 0 ? 1 : 0;
    const uint32_t client_netns = (bits & 2) != 0 ? 1 : 0;
    const uint32_t server_netns = (bits & 4) != 0 ? 1 : 0;
    SetAttribute(row, "client_netns", client_netns);
    SetAttribute(row, "server_netns", server_netns);
    const bool a = row.server_port != 0;
    const bool b = client_netns != 0;
    const bool c = server_netns != 0;
    const auto check = [&](std::string_view text, bool expected) {
      std::string filter;
      for (const char letter : text) {
        filter += letter == 'X'   ? "port=1"
                  : letter == 'Y' ? "client_netns=1"
                  : letter == 'Z' ? "server_netns=1"
                                  : std::string(1, letter);
      }
      EXPECT_EQ(Matches(filter, row), expected) << filter << " with " << bits;
    };
    check("X or Y and Z", a || (b && c));
    check("X and Y or Z", (a && b) || c);
    check("(X or Y) and Z", (a || b) && c);
    check("not X and Y", !a && b);
    check("not X or Y", !a || b);
    check("not (X or Y) and Z", !(a || b) && c);
    check("not not X", a);
    check("not X and not Y or not Z", (!a && !b) || !c);
    check("X and Y and Z or X and not Y", (a && b && c) || (a && !b));
    check("((X)) or (Y and (Z or X))", a || (b && (c || a)));
    check("X AND NOT Y Or Z", (a && !b) || c);
  }
}

TEST(Filter, FlattensLists) {
  const Result<Filter> filter = Filter::Parse("port=1 or port=2 or port=3 and port=4");
  ASSERT_TRUE(filter.ok());
  ASSERT_EQ(filter->root()->kind, FilterNode::Kind::kOr);
  ASSERT_EQ(filter->root()->children.size(), 3U);
  EXPECT_EQ(filter->root()->children[2]->kind, FilterNode::Kind::kAnd);
}

TEST(Filter, QuotedValuesTakeEscapes) {
  FlowRow row;
  const auto process_is = [&](std::string_view quoted, std::string value) {
    SetAttribute(row, "client_process", value);
    return Matches(fmt::format("client_process = {}", quoted), row);
  };
  EXPECT_TRUE(process_is(R"("a b")", "a b"));
  EXPECT_TRUE(process_is(R"('it"s')", "it\"s"));
  EXPECT_TRUE(process_is(R"("say \"hi\"")", "say \"hi\""));
  EXPECT_TRUE(process_is(R"('it\'s')", "it's"));
  EXPECT_TRUE(process_is(R"("a\\b")", "a\\b"));
  EXPECT_TRUE(process_is(R"("a\nb\tc\rd")", "a\nb\tc\rd"));
  EXPECT_TRUE(process_is(R"("\x00\xff")", std::string("\0\xff", 2)));
  EXPECT_TRUE(process_is(R"("\d\.")", "\\d\\."));
  EXPECT_TRUE(process_is("'and'", "and"));
  EXPECT_TRUE(process_is("\"\xf0\x9f\x90\xb3\"", "\xf0\x9f\x90\xb3"));
  SetAttribute(row, "client_process", "worker 17");
  EXPECT_TRUE(Matches(R"(client_process ~ "\w+ \d+$")", row));
}

TEST(Filter, AnyTextIsAValueThatMeansItself) {
  for (const std::string& text :
       {std::string("nginx"), std::string(""), std::string("and"), std::string("NOT"), std::string("10k"),
        std::string("a b"), std::string("it's \"so\""), std::string("back\\slash\\"), std::string("tab\tnew\nline"),
        std::string("\x7f\x01"), std::string("\\d+"), std::string("\xc3\xa4")}) {
    FlowRow row;
    SetAttribute(row, "client_process", text);
    const auto filter = Filter::Parse("client_process = " + FilterValueText(text));
    ASSERT_TRUE(filter.ok()) << FilterValueText(text) << filter.status().message();
    EXPECT_TRUE(filter->Matches(row)) << FilterValueText(text);
    SetAttribute(row, "client_process", text + "x");
    EXPECT_FALSE(filter->Matches(row)) << FilterValueText(text);
  }
  EXPECT_EQ(FilterValueText("shop"), "shop");
}

TEST(Filter, TwoTogetherLetThroughWhatBothDo) {
  FlowRow row;
  row.server_port = 80;
  SetAttribute(row, "client_process", std::string("curl"));
  const Filter port = *Filter::Parse("server_port = 80");
  const Filter either = *Filter::Parse("client_process = wget or client_process = nc");
  EXPECT_TRUE(port.Matches(row));
  EXPECT_FALSE(Filter::And(port, either).Matches(row)) << "an or stays within its own filter";
  EXPECT_TRUE(Filter::And(port, {}).Matches(row));
  EXPECT_TRUE(Filter::And({}, port).Matches(row));
  EXPECT_TRUE(Filter::And({}, {}).empty());
  EXPECT_TRUE(Filter::And(port, *Filter::Parse("client_process = curl")).Matches(row));
}

TEST(Filter, QuantitiesFollowTheColumnsUnit) {
  const auto bytes = [](std::string_view text) { return ParseQuantity(text, *FindColumn("bytes")); };
  const auto rtt = [](std::string_view text) { return ParseQuantity(text, *FindColumn("rtt_avg_us")); };
  const auto percent = [](std::string_view text) { return ParseQuantity(text, *FindColumn("retransmit_percent")); };
  const auto port = [](std::string_view text) { return ParseQuantity(text, *FindColumn("server_port")); };

  EXPECT_EQ(bytes("0"), 0);
  EXPECT_EQ(bytes("10k"), 10'000);
  EXPECT_EQ(bytes("10K"), 10'000);
  EXPECT_EQ(bytes("5M"), 5e6);
  EXPECT_EQ(bytes("2G"), 2e9);
  EXPECT_EQ(bytes("3T"), 3e12);
  EXPECT_EQ(bytes("1Ki"), 1024);
  EXPECT_EQ(bytes("1MiB"), 1048576);
  EXPECT_EQ(bytes("1Gi"), 1073741824);
  EXPECT_EQ(bytes("1Ti"), 1099511627776);
  EXPECT_EQ(bytes("7B"), 7);
  EXPECT_EQ(bytes("1.5k"), 1500);
  EXPECT_EQ(bytes(".5k"), 500);
  EXPECT_EQ(bytes("1e3"), 1000);
  EXPECT_EQ(rtt("250"), 250);
  EXPECT_EQ(rtt("250us"), 250);
  EXPECT_EQ(rtt("500ns"), 0.5);
  EXPECT_EQ(rtt("20ms"), 20'000);
  EXPECT_EQ(rtt("1.5s"), 1.5e6);
  EXPECT_EQ(rtt("2m"), 120e6);
  EXPECT_EQ(rtt("1h"), 3600e6);
  EXPECT_EQ(percent("2%"), 2);
  EXPECT_EQ(percent("2"), 2);
  EXPECT_EQ(port("-5"), -5);

  for (const std::string_view wrong : {"", "-", "x", "1x", "0x10", "inf", "nan", "-inf", "1e", "1..2", "1e999", "1 k",
                                       "10ms", "2%", "+1", "--1", "1e308T"}) {
    EXPECT_EQ(bytes(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(rtt("10k"), std::nullopt);
  EXPECT_EQ(percent("2k"), std::nullopt);
  EXPECT_EQ(port("1kB"), std::nullopt);
}

TEST(Filter, ErrorsSayWhereWhatAndWhatIsPossible) {
  EXPECT_EQ(Problem("sevrer_port = 80"), "at character 1: unknown field 'sevrer_port'; did you mean server_port?");
  EXPECT_THAT(Problem("port = 1 and proces = x"),
              StartsWith("at character 14: unknown field 'proces'; did you mean process"));
  EXPECT_THAT(Problem("qqqqqqqq = 1"), HasSubstr("fields are the columns"));
  EXPECT_THAT(Problem("port"), StartsWith("at character 5: the filter ends here; expected an operator after port"));
  EXPECT_THAT(Problem("port ="), StartsWith("at character 7: the filter ends here; expected a value"));
  EXPECT_THAT(Problem("port = 80 443"), StartsWith("at character 11: found '443'; expected and, or"));
  EXPECT_THAT(Problem("port = 80 && port = 1"), HasSubstr("write and / or"));
  EXPECT_THAT(Problem("port == 80"), StartsWith("at character 7: found '='; the operator is already complete"));
  EXPECT_THAT(Problem("port = http"), StartsWith("at character 8: 'http' does not fit server_port; expected a number"));
  EXPECT_THAT(Problem("rtt_avg_us > 10k"), HasSubstr("a duration, e.g."));
  EXPECT_THAT(Problem("retransmit_percent > 10k"), HasSubstr("a percentage"));
  EXPECT_THAT(Problem("port ~ 80"),
              StartsWith("at character 6: '~' does not fit port, which is uint; possible: =, !="));
  EXPECT_THAT(Problem("process < a"), HasSubstr("'<' does not fit process, which is string"));
  EXPECT_THAT(Problem("address > 10.0.0.1"), HasSubstr("possible: =, !=, in, not in"));
  EXPECT_THAT(Problem("address = nginx"), HasSubstr("'nginx' is no address or prefix"));
  EXPECT_THAT(Problem("address = 10.0.0.0/33"), HasSubstr("is no address or prefix"));
  EXPECT_THAT(Problem("process ~ '['"), HasSubstr("not a regular expression (RE2 syntax)"));
  EXPECT_THAT(Problem(R"(process ~ "a\x00")"), HasSubstr("NUL"));
  EXPECT_THAT(Problem("process = and"), HasSubstr("write \"and\""));
  EXPECT_THAT(Problem("port in 80"), StartsWith("at character 9: found '80'; expected a list"));
  EXPECT_THAT(Problem("port in (80"), HasSubstr("expected ',' or ')'"));
  EXPECT_THAT(Problem("port in ()"), HasSubstr("expected a value"));
  EXPECT_THAT(Problem("port in (80,)"), HasSubstr("expected a value"));
  EXPECT_THAT(Problem("port not 80"), HasSubstr("expected in after not"));
  EXPECT_THAT(Problem("(port = 80"), StartsWith("at character 1: this '(' is never closed"));
  EXPECT_THAT(Problem("(port = 80 port"), HasSubstr("expected and, or, or ')'"));
  EXPECT_THAT(Problem("port = 80)"), StartsWith("at character 10: this ')' closes nothing"));
  EXPECT_THAT(Problem("and port = 80"), StartsWith("at character 1: found 'and'; expected a field"));
  EXPECT_THAT(Problem("port = 1 or"), StartsWith("at character 12: the filter ends here; expected a field"));
  EXPECT_THAT(Problem("not"), HasSubstr("expected a field"));
  EXPECT_THAT(Problem("()"), HasSubstr("expected a field"));
  EXPECT_THAT(Problem("process = 'abc"), StartsWith("at character 11: this quote is never closed"));
  EXPECT_THAT(Problem("process = 'abc\\"), HasSubstr("never closed"));
  EXPECT_THAT(Problem("process = '\\xg0'"), HasSubstr("two hexadecimal digits"));
  EXPECT_THAT(Problem("process = '\\\n'"), HasSubstr("control character"));
  EXPECT_THAT(Problem("process ! a"), HasSubstr("'!' alone"));
  EXPECT_THAT(Problem("process = a\x01"), HasSubstr("control character"));
  EXPECT_THAT(Problem("start > 5"), HasSubstr("range of time"));
  EXPECT_THAT(Problem("client_rtt_histogram = 5"), HasSubstr("distribution"));
}

TEST(Filter, PositionsCountCharactersNotBytes) {
  EXPECT_THAT(Problem("process = '\xc3\xa4\xf0\x9f\x90\xb3' or x = 1"),
              StartsWith("at character 19: unknown field 'x'"));
}

TEST(Filter, ExcerptsAreShortAndPrintable) {
  EXPECT_EQ(FilterExcerpt("a\x1b[31m"), "a?[31m");
  EXPECT_EQ(FilterExcerpt(std::string(50, 'x')), std::string(40, 'x') + "...");
  EXPECT_EQ(FilterExcerpt(std::string(39, 'x') + "\xc3\xa4" + "yy"), std::string(39, 'x') + "...");
}

TEST(Filter, BoundsAreEnforced) {
  const std::string longest = "client_process = '" + std::string(kMaxFilterBytes - 19, 'x') + "'";
  ASSERT_EQ(longest.size(), kMaxFilterBytes);
  EXPECT_FALSE(Matches(longest));
  EXPECT_THAT(Problem(longest + " "), HasSubstr("longer than 4096 bytes"));

  const auto nested = [](size_t depth) { return std::string(depth, '(') + "port=443" + std::string(depth, ')'); };
  EXPECT_TRUE(Matches(nested(kMaxFilterDepth)));
  EXPECT_THAT(Problem(nested(kMaxFilterDepth + 1)), HasSubstr("more than 32 levels"));
  std::string nots;
  for (size_t i = 0; i < kMaxFilterDepth; ++i) nots += "not ";
  EXPECT_TRUE(Matches(nots + "port=443"));
  EXPECT_THAT(Problem("not " + nots + "port=443"), HasSubstr("more than 32 levels"));

  std::string list = "port=1";
  for (size_t i = 1; i < kMaxFilterComparisons; ++i) list += " or port=1";
  EXPECT_FALSE(Matches(list));
  EXPECT_THAT(Problem(list + " or port=1"), HasSubstr("more than 256 comparisons"));
}

TEST(Filter, EveryColumnCanBeFilteredOrSaysWhyNot) {
  for (const Column& column : kColumns) {
    const std::string value = column.type == ColumnType::kAddress ? "::1" : "1";
    EXPECT_EQ(Filter::Parse(fmt::format("{} = {}", column.name, value)).ok(), Filterable(column)) << column.name;
  }
  for (const EitherField& field : EitherFields()) {
    for (const std::string_view column : field.columns) EXPECT_NE(FindColumn(column), nullptr) << column;
  }
}

// Random splices of valid pieces: parsing never crashes, and whatever parses can be evaluated.
TEST(Filter, SurvivesRandomText) {
  const std::vector<std::string> pieces{"port",  "=",   "80",         "(",        ")",       "and", "or",
                                        "not",   "in",  ",",          "'a'",      "~",       "!=",  "<",
                                        "bytes", "10k", "process",    "nginx",    "address", "::1", "10.0.0.0/8",
                                        "\"",    "\\",  "rtt_p99_us", "\xf0\x9f", "[",       "!~",  " "};
  std::mt19937 random(20261124);
  size_t parsed = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (size_t n = random() % 8; n > 0; --n) text += pieces[random() % pieces.size()] + (random() % 4 != 0 ? " " : "");
    const Result<Filter> filter = Filter::Parse(text);
    if (!filter.ok()) {
      EXPECT_THAT(filter.status().message(), StartsWith("at character "));
      continue;
    }
    filter->Matches(Web());
    ++parsed;
  }
  EXPECT_GT(parsed, 1'000U);
}

}  // namespace
}  // namespace weir::model
