#include "net/metrics_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "net/gzip.h"

namespace weir::net {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr MetricFamily kFamily{"weir_things", FamilyType::kCounter, "", "name", "", "Things."};

HttpResponse Ask(std::map<std::string, std::string> headers, std::map<std::string, std::string> query = {}) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.query = std::move(query);
  return MetricsPage(request, [](MetricVisitor& visitor) {
    visitor.Begin(kFamily);
    for (int i = 0; i < 100; ++i) visitor.Add(std::array<std::string_view, 1>{std::to_string(i)}, i, 1'000);
  });
}

TEST(MetricsPage, SpeaksWhatTheScraperLikes) {
  const HttpResponse open = Ask({{"accept", "application/openmetrics-text;version=1.0.0"}});
  EXPECT_THAT(open.content_type, HasSubstr("application/openmetrics-text; version=1.0.0"));
  EXPECT_TRUE(open.body.ends_with("# EOF\n"));
  EXPECT_THAT(open.body, HasSubstr("_created"));
  EXPECT_THAT(Ask({{"accept", "application/openmetrics-text"}}, {{"created", "off"}}).body, Not(HasSubstr("_created")));
  const HttpResponse plain = Ask({});
  EXPECT_THAT(plain.content_type, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(plain.body, Not(HasSubstr("EOF")));
  EXPECT_FALSE(plain.headers.contains("Content-Encoding"));
}

TEST(MetricsPage, IsPackedForThoseWhoCanUnpack) {
  const HttpResponse packed = Ask({{"accept-encoding", "gzip, deflate"}});
  EXPECT_EQ(packed.headers.at("Content-Encoding"), "gzip");
  EXPECT_EQ(packed.headers.at("Vary"), "Accept, Accept-Encoding");
  const std::string plain = Ask({}).body;
  EXPECT_LT(packed.body.size(), plain.size() / 3);
  EXPECT_EQ(*Gunzip(packed.body, 1 << 20), plain);
}

TEST(Gzip, TellsWhatIsNoneAndWhatIsTooMuch) {
  const std::string text(100'000, 'a');
  const std::string packed = Gzip(text);
  EXPECT_EQ(*Gunzip(packed, text.size()), text);
  EXPECT_EQ(Gunzip(packed, text.size() - 1).status().code(), Code::kExhausted);
  EXPECT_EQ(Gunzip(packed.substr(0, packed.size() - 4), 1 << 20).status().code(), Code::kCorrupt);
  EXPECT_EQ(Gunzip("hello", 100).status().code(), Code::kCorrupt);
  EXPECT_EQ(Gunzip("", 100).status().code(), Code::kCorrupt);
  EXPECT_EQ(*Gunzip(Gzip(""), 0), "");
}

TEST(Gzip, AcceptedEncodings) {
  EXPECT_TRUE(AcceptsGzip("gzip"));
  EXPECT_TRUE(AcceptsGzip("br;q=1.0, GZIP ;q=0.8"));
  EXPECT_TRUE(AcceptsGzip("*"));
  EXPECT_FALSE(AcceptsGzip(""));
  EXPECT_FALSE(AcceptsGzip("identity"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0, *"));
  EXPECT_FALSE(AcceptsGzip("gzip; q=0.000"));
}

}  // namespace
}  // namespace weir::net
