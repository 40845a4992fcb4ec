#include "model/filter_lexer.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace weir::model {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Everything else may stand in a bare word: addresses, prefixes, numbers with units, regular expressions.
bool EndsWord(char c) {
  return IsSpace(c) || IsControl(c) || std::string_view("(),=!<>~\"'").find(c) != std::string_view::npos;
}

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

Status FilterError(std::string_view text, size_t offset, std::string_view problem, std::string_view remedy) {
  size_t character = 1;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    if (!IsContinuation(text[i])) ++character;
  }
  return Status::Invalid(fmt::format("at character {}: {}", character, problem))
      .WithRemedy(remedy)
      .WithPosition(character);
}

std::string FilterExcerpt(std::string_view text) {
  constexpr size_t kMaxBytes = 40;
  const bool cut = text.size() > kMaxBytes;
  if (cut) {
    size_t end = kMaxBytes;
    while (end > 0 && IsContinuation(text[end])) --end;
    text = text.substr(0, end);
  }
  std::string excerpt(text);
  for (char& c : excerpt) {
    if (IsControl(c)) c = '?';
  }
  return cut ? excerpt + "..." : excerpt;
}

Result<FilterToken> FilterLexer::Next() {
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  FilterToken token;
  token.offset = at_;
  if (at_ == text_.size()) return token;

  const char c = text_[at_];
  if (c == '"' || c == '\'') return Quoted();
  if (c == '(' || c == ')' || c == ',') {
    ++at_;
    token.kind = c == '(' ? FilterToken::Kind::kOpen : c == ')' ? FilterToken::Kind::kClose : FilterToken::Kind::kComma;
    token.text = c;
    return token;
  }
  if (IsControl(c)) {
    return FilterError(text_, at_, "a control character", "inside quotes write it as \\n, \\t or \\xHH");
  }
  return EndsWord(c) ? Operator() : Result<FilterToken>(Word());
}

FilterToken FilterLexer::Word() {
  FilterToken token;
  token.kind = FilterToken::Kind::kWord;
  token.offset = at_;
  while (at_ < text_.size() && !EndsWord(text_[at_])) ++at_;
  token.text = text_.substr(token.offset, at_ - token.offset);
  return token;
}

Result<FilterToken> FilterLexer::Quoted() {
  FilterToken token;
  token.kind = FilterToken::Kind::kString;
  token.offset = at_;
  const char quote = text_[at_++];
  while (at_ < text_.size() && text_[at_] != quote) {
    if (IsControl(text_[at_])) {
      return FilterError(text_, at_, "a control character in quotes", "write it as \\n, \\t or \\xHH");
    }
    if (text_[at_] == '\\') {
      WEIR_RETURN_IF_ERROR(Escape(token.text));
    } else {
      token.text += text_[at_++];
    }
  }
  if (at_ == text_.size()) {
    return FilterError(text_, token.offset, "this quote is never closed", fmt::format("add {} after the value", quote));
  }
  ++at_;
  return token;
}

// Backslashes that start no escape of ours stay as they are, so that "\d+\.\w" is the regular expression it
// looks like.
Status FilterLexer::Escape(std::string& value) {
  const size_t start = at_++;
  if (at_ == text_.size()) return Status::Ok();  // reported by Quoted() as a quote without end
  const char c = text_[at_++];
  switch (c) {
    case '\\':
    case '"':
    case '\'': value += c; return Status::Ok();
    case 'n': value += '\n'; return Status::Ok();
    case 'r': value += '\r'; return Status::Ok();
    case 't': value += '\t'; return Status::Ok();
    case 'x': {
      const auto high = at_ < text_.size() ? HexDigit(text_[at_]) : std::nullopt;
      const auto low = at_ + 1 < text_.size() ? HexDigit(text_[at_ + 1]) : std::nullopt;
      if (!high || !low) return FilterError(text_, start, "\\x needs two hexadecimal digits, as in \\x0a");
      value += static_cast<char>(*high * 16 + *low);
      at_ += 2;
      return Status::Ok();
    }
    default:
      // A control byte after a backslash is left for Quoted() to refuse.
      value += '\\';
      --at_;
      if (!IsControl(c)) value += text_[at_++];
      return Status::Ok();
  }
}

Result<FilterToken> FilterLexer::Operator() {
  struct Symbol {
    std::string_view text;
    CompareOp op;
  };
  // Longer symbols first.
  static constexpr std::array<Symbol, 8> kSymbols{{{"!=", CompareOp::kNotEqual},
                                                   {"<=", CompareOp::kLessEqual},
                                                   {">=", CompareOp::kGreaterEqual},
                                                   {"!~", CompareOp::kNotMatch},
                                                   {"=", CompareOp::kEqual},
                                                   {"<", CompareOp::kLess},
                                                   {">", CompareOp::kGreater},
                                                   {"~", CompareOp::kMatch}}};
  for (const Symbol& symbol : kSymbols) {
    if (!text_.substr(at_).starts_with(symbol.text)) continue;
    FilterToken token{FilterToken::Kind::kOperator, at_, std::string(symbol.text), symbol.op};
    at_ += symbol.text.size();
    return token;
  }
  return FilterError(text_, at_, "'!' alone means nothing", "use !=, !~ or not");
}

}  // namespace weir::model
