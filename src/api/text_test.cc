// Times, durations, suggestions and parameters: text in, meaning or a useful complaint out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/parameters.h"
#include "api/time_text.h"

namespace weir::api {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr UnixMillis kNow = 1'764'000'000'123;  // 2025-11-24T16:00:00.123Z

TEST(TimeText, Formats) {
  EXPECT_EQ(FormatTime(kNow), "2025-11-24T16:00:00.123Z");
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatTime(951'825'599'000), "2000-02-29T11:59:59.000Z");
  EXPECT_EQ(FormatTime(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatTime(INT64_MIN), "0001-01-01T00:00:00.000Z");
}

TEST(TimeText, ParsesEveryForm) {
  const std::pair<std::string_view, UnixMillis> cases[] = {
      {"now", kNow},
      {"now-15m", kNow - 900'000},
      {"15m", kNow - 900'000},
      {"1h30m", kNow - 5'400'000},
      {"10d", kNow - 864'000'000},
      {"1764000000", 1'764'000'000'000},
      {"1764000000123", kNow},
      {"0", 0},
      {"2025-11-24T16:00:00.123Z", kNow},
      {"2025-11-24T16:00:00.123999Z", kNow},
      {"2025-11-24t16:00:00z", kNow - 123},
      {"2025-11-24 16:00:00Z", kNow - 123},
      {"2025-11-24T17:30:00+01:30", kNow - 123},
      {"2025-11-24T08:00:00.1-08:00", kNow - 23},
      {"2000-02-29T00:00:00Z", 951'782'400'000},
  };
  for (const auto& [text, expected] : cases) {
    const Result<UnixMillis> time = ParseTime(text, kNow);
    ASSERT_TRUE(time.ok()) << text << ": " << time.status().message();
    EXPECT_EQ(*time, expected) << text;
    EXPECT_EQ(*ParseTime(FormatTime(expected), kNow), expected);
  }
}

TEST(TimeText, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "yesterday",
                           "now-",
                           "now+5m",
                           "-5m",
                           "-1",
                           "15",
                           "15x",
                           "m",
                           "2025-13-01T00:00:00Z",
                           "2025-02-29T00:00:00Z",
                           "2025-11-24",
                           "2025-11-24T16:00:00",
                           "2025-11-24T24:00:00Z",
                           "2025-11-24T16:00:00.Z",
                           "2025-11-24T16:00:00Zx",
                           "2025-11-24T16:00:00+1:00",
                           "99999999999999999",
                           "999999999999d",
                           "0000-01-01T00:00:00Z"}) {
    const Result<UnixMillis> time = ParseTime(text, kNow);
    if (std::string_view(text) == "15") {
      EXPECT_EQ(*time, 15'000);  // Unix seconds, like every plain number
      continue;
    }
    EXPECT_FALSE(time.ok()) << text;
    if (!time.ok()) {
      EXPECT_THAT(time.status().message(), HasSubstr("write 2026-11-24T14:00:00Z")) << text;
    }
  }
}

TEST(TimeText, ALoneNumberIsATimeAndNoLengthOfTime) {
  EXPECT_EQ(ParseAgo("90"), std::nullopt);
  EXPECT_EQ(ParseAgo("now-90"), std::nullopt);
  EXPECT_EQ(ParseAgo("now-1.5h"), 5'400'000);
  EXPECT_EQ(*ParseTime("1700000000", 5), 1'700'000'000'000);
}

constexpr Parameter kParameters[] = {
    {"since", ParameterType::kTime, "15m", ""},
    {"until", ParameterType::kTime, "now", ""},
    {"filter", ParameterType::kFilter, "", ""},
    {"group_by", ParameterType::kDimensions, "", ""},
    {"columns", ParameterType::kMeasures, "bytes", ""},
    {"sort", ParameterType::kSort, "-bytes", ""},
    {"limit", ParameterType::kInteger, "1000", "", "", 1, 100'000},
    {"level", ParameterType::kChoice, "process", "", "process|container|host"},
    {"fold", ParameterType::kBoolean, "true", ""},
    {"step", ParameterType::kDuration, "", ""},
};

using Query = std::map<std::string, std::string>;

struct Given {
  explicit Given(Query values) : query(std::move(values)), arguments(kParameters, query, kNow) {}
  Query query;
  Arguments arguments;
};

TEST(Arguments, Defaults) {
  Given given(Query{});
  Arguments& a = given.arguments;
  EXPECT_EQ(a.Range().from, (kNow - 900'000) / 10'000 * 10'000);
  EXPECT_EQ(a.Range().to, kNow);
  EXPECT_TRUE(a.Filter("filter").empty());
  EXPECT_TRUE(a.Columns("group_by").empty());
  EXPECT_EQ(a.Columns("columns").front()->name, "bytes");
  EXPECT_EQ(a.Sort("sort").front().column->name, "bytes");
  EXPECT_TRUE(a.Sort("sort").front().descending);
  EXPECT_EQ(a.Integer("limit"), 1'000);
  EXPECT_EQ(a.Choice("level"), "process");
  EXPECT_TRUE(a.Boolean("fold"));
  EXPECT_EQ(a.Duration("step"), 0);
  EXPECT_FALSE(a.refusal());
}

TEST(Arguments, ARangeOfTheLastSoLongBeginsWithAWholeStep) {
  const auto from = [](const std::string& since) {
    Given given(Query{{"since", since}});
    return given.arguments.Range().from;
  };
  ASSERT_NE(kNow % 10'000, 0);
  EXPECT_EQ(from("15m"), (kNow - 900'000) / 10'000 * 10'000);
  EXPECT_EQ(from("now-15m"), from("15m"));
  EXPECT_EQ(from("9m"), kNow - 540'000);
  EXPECT_EQ(from("6h") % 300'000, 0);
  EXPECT_EQ(from(std::to_string(kNow - 900'000)), kNow - 900'000) << "a time is taken as it is";
}

TEST(Arguments, ReadsWhatIsGiven) {
  Given given(Query{{"since", "2025-11-24T15:00:00Z"},
                    {"until", "now-1m"},
                    {"filter", "server_port = 80"},
                    {"group_by", "client_process, server_port,client_process"},
                    {"sort", "client_process,-retransmits"},
                    {"limit", "7"},
                    {"level", "host"},
                    {"fold", "false"},
                    {"step", "10s"}});
  Arguments& a = given.arguments;
  EXPECT_EQ(a.Range().from, 1'763'996'400'000);
  EXPECT_EQ(a.Range().to, kNow - 60'000);
  EXPECT_FALSE(a.Filter("filter").empty());
  ASSERT_EQ(a.Columns("group_by").size(), 2U);
  EXPECT_EQ(a.Columns("group_by")[1]->name, "server_port");
  ASSERT_EQ(a.Sort("sort").size(), 2U);
  EXPECT_FALSE(a.Sort("sort")[0].descending);
  EXPECT_TRUE(a.Sort("sort")[1].descending);
  EXPECT_EQ(a.Integer("limit"), 7);
  EXPECT_EQ(a.Choice("level"), "host");
  EXPECT_FALSE(a.Boolean("fold"));
  EXPECT_EQ(a.Duration("step"), 10'000);
  EXPECT_FALSE(a.refusal());
}

struct Mistake {
  const char* name;
  const char* value;
  void (*read)(Arguments&);
  const char* message;
  const char* remedy;
  size_t position;
};

TEST(Arguments, EveryMistakeNamesParameterPlaceAndRemedy) {
  const Mistake cases[] = {
      {"sinse", "15m", [](Arguments&) {}, "unknown parameter 'sinse'", "did you mean since?", 0},
      {"wombat", "1", [](Arguments&) {}, "unknown parameter 'wombat'", "it takes since, until", 0},
      {"since", "soon", [](Arguments& a) { a.Range(); }, "'soon' is not a time", "now-15m", 0},
      {"until", "1h", [](Arguments& a) { a.Range(); }, "the range is empty", "earlier since", 0},
      {"limit", "0", [](Arguments& a) { a.Integer("limit"); }, "whole number from 1 to 100000", "default is 1000", 0},
      {"limit", "10x", [](Arguments& a) { a.Integer("limit"); }, "'10x' is not a whole number", "default", 0},
      {"level", "contianer", [](Arguments& a) { a.Choice("level"); }, "'contianer' is not a choice",
       "did you mean container?", 0},
      {"fold", "yes", [](Arguments& a) { a.Boolean("fold"); }, "neither true nor false", "true or false", 0},
      {"step", "fast", [](Arguments& a) { a.Duration("step"); }, "'fast' is not a duration", "10s", 0},
      {"group_by", "client_process,server_prot", [](Arguments& a) { a.Columns("group_by"); },
       "at character 16: unknown column 'server_prot'", "did you mean server_port?", 16},
      {"group_by", "bytes", [](Arguments& a) { a.Columns("group_by"); }, "bytes is not a dimension to group by",
       "GET /api/v1/columns", 1},
      {"group_by", "server_port,", [](Arguments& a) { a.Columns("group_by"); }, "unknown column ''",
       "GET /api/v1/columns", 13},
      {"columns", "server_port", [](Arguments& a) { a.Columns("columns"); }, "server_port is not a measure", "GET", 1},
      {"columns", "client_rtt_histogram", [](Arguments& a) { a.Columns("columns"); }, "not a measure", "GET", 1},
      {"sort", "-byte", [](Arguments& a) { a.Sort("sort"); }, "unknown column 'byte'", "did you mean bytes?", 1},
      {"filter", "server_port = 80 and sevrer_port = 1", [](Arguments& a) { a.Filter("filter"); },
       "unknown field 'sevrer_port'", "did you mean server_port?", 22},
  };
  for (const Mistake& mistake : cases) {
    Given given(Query{{mistake.name, mistake.value}});
    mistake.read(given.arguments);
    ASSERT_TRUE(given.arguments.refusal()) << mistake.name << "=" << mistake.value;
    const net::HttpError& refusal = *given.arguments.refusal();
    EXPECT_EQ(refusal.status, 400);
    EXPECT_THAT(refusal.message, HasSubstr(mistake.message));
    EXPECT_THAT(refusal.remedy, HasSubstr(mistake.remedy)) << mistake.message;
    EXPECT_EQ(refusal.position, mistake.position) << mistake.message;
    EXPECT_EQ(refusal.parameter, std::string_view(mistake.name) == "until" ? "since" : mistake.name);
  }
}

TEST(Arguments, TheFirstMistakeIsTold) {
  Given given(Query{{"limit", "x"}, {"level", "y"}});
  given.arguments.Integer("limit");
  given.arguments.Choice("level");
  EXPECT_EQ(given.arguments.refusal()->parameter, "limit");
}

}  // namespace
}  // namespace weir::api
