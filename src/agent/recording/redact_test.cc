#include "agent/recording/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "agent/requests/http_head.h"
#include "agent/requests/path_template.h"
#include "agent/requests/turn_builder.h"

namespace weir::agent::recording {
namespace {

using requests::MakeHead;

std::string Kept(weir_step_kind kind, std::string_view text) {
  weir_step_head head = MakeHead(kind, 1, text);
  Redact(head);
  EXPECT_EQ(head.text_bytes, text.size());
  return {head.text, head.text_bytes};
}

TEST(Redact, KeepsTheShapeAndWhatIsReported) {
  EXPECT_EQ(Kept(WEIR_STEP_REQUEST,
                 "POST /users/1234/cards?token=s3cret&b=/c HTTP/1.1\r\nHost: shop.example\r\n"
                 "Authorization: Bearer abc\r\ncontent-Length: 11\r\n\r\nname=secret"),
            "POST /users/0000/cards?xxxxxxxxxxxxxxx/x HTTP/1.x\r\nHost:xxxxxxxxxxxxx\r\n"
            "Authorization:xxxxxxxxxxx\r\ncontent-Length: 11\r\n\r\nxxxxxxxxxxx");
  EXPECT_EQ(
      Kept(WEIR_STEP_ANSWER, "HTTP/1.1 302 Found you\r\nLocation: /me\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5"),
      "HTTP/1.1 302 xxxxxxxxx\r\nLocation:xxxx\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx");
  EXPECT_EQ(Kept(WEIR_STEP_REQUEST, "GET http://me:pw@host.example/a/7?x HTTP/1.0\r\nCookie: a=b; c"),
            "GET xxxx://xx:xxxxxxxxxxxxxxx/a/0?x HTTP/1.x\r\nCookie:xxxxxxx");
  EXPECT_EQ(Kept(WEIR_STEP_REQUEST, "\x16\x03\x01 private"), "xxxxxxxxxxx");
  EXPECT_EQ(Kept(WEIR_STEP_REQUEST, "PRI * HTTP/2.0\r\n\r\nSM"), "PRI * HTTP/2.0\r\nxxxx");
}

TEST(Redact, LastBytesStayWhereTheyEndAnAnswer) {
  weir_step step = requests::MakeStep(WEIR_STEP_CHUNK, 1, 100, "and so on: secret");
  Redact(step);
  EXPECT_EQ(step.tail_bytes, WEIR_TAIL_BYTES);
  EXPECT_THAT(step.tail, testing::Each(0));
  step = requests::MakeStep(WEIR_STEP_CHUNK, 1, 5, "0\r\n\r\n");
  const weir_step before = step;
  Redact(step);
  EXPECT_EQ(std::memcmp(&step, &before, sizeof(step)), 0);
}

// What is made of a text is the same before and after; checked for much more by recording_fuzz.
TEST(Redact, ChangesNothingThatIsMadeOfIt) {
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n\r\n", "GET /a/0123456789abcdef?q=://x/y HTTP/1.1\r\nA:b\r\nContent-Length: 3\r\n",
        "GET foo?u=http://a/b/1 HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "GET /cut/in/the/target/1",
        "CONNECT example.com:443 HTTP/1.1\r\n\r\n", "GET /1/2/3/4/5/6/7/8/x/y HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 12", "HTTP/1.1 204\r\n\r\n", "get / HTTP/1.1\r\n\r\n"}) {
    SCOPED_TRACE(text);
    const std::string kept = Kept(WEIR_STEP_REQUEST, text);
    const auto a = requests::ParseRequestHead(text);
    const auto b = requests::ParseRequestHead(kept);
    ASSERT_EQ(a.has_value(), b.has_value());
    if (a) {
      EXPECT_EQ(a->method, b->method);
      EXPECT_EQ(requests::PathTemplate(a->target), requests::PathTemplate(b->target));
      EXPECT_EQ(a->framing.head_bytes, b->framing.head_bytes);
      EXPECT_EQ(a->framing.content_length, b->framing.content_length);
      EXPECT_EQ(a->framing.unclear, b->framing.unclear);
    }
    const auto c = requests::ParseAnswerHead(text);
    const auto d = requests::ParseAnswerHead(kept);
    ASSERT_EQ(c.has_value(), d.has_value());
    if (c) {
      EXPECT_EQ(c->status, d->status);
      EXPECT_EQ(c->framing.head_bytes, d->framing.head_bytes);
    }
  }
}

}  // namespace
}  // namespace weir::agent::recording
