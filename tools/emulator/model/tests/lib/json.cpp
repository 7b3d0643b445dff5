// SPDX-License-Identifier: GPL-2.0
// The JSON parser: recursive descent over RFC 8259, without extensions.

#include "json.h"

#include <cctype>

namespace json {

namespace {

class Parser {
public:
	explicit Parser(std::string_view t) : t_(t) {}

	std::optional<Value> all()
	{
		Value v;
		space();
		if (!value(v, 0))
			return {};
		space();
		if (i_ != t_.size())
			return {};
		return v;
	}

private:
	bool more() const { return i_ < t_.size(); }
	bool eat(char c)
	{
		if (!more() || t_[i_] != c)
			return false;
		i_++;
		return true;
	}
	bool word(std::string_view w)
	{
		if (t_.substr(i_, w.size()) != w)
			return false;
		i_ += w.size();
		return true;
	}
	void space()
	{
		while (more() && (t_[i_] == ' ' || t_[i_] == '\t' || t_[i_] == '\n' || t_[i_] == '\r'))
			i_++;
	}
	bool digits(std::string &out)
	{
		const std::size_t from = i_;
		while (more() && std::isdigit(static_cast<unsigned char>(t_[i_])))
			out += t_[i_++];
		return i_ > from;
	}
	bool number(std::string &out)
	{
		if (eat('-'))
			out += '-';
		if (eat('0'))
			out += '0';
		else if (!digits(out))
			return false;
		if (eat('.')) {
			out += '.';
			if (!digits(out))
				return false;
		}
		if (more() && (t_[i_] == 'e' || t_[i_] == 'E')) {
			out += t_[i_++];
			if (more() && (t_[i_] == '+' || t_[i_] == '-'))
				out += t_[i_++];
			if (!digits(out))
				return false;
		}
		return true;
	}
	bool string(std::string &out)
	{
		if (!eat('"'))
			return false;
		while (more()) {
			const char c = t_[i_++];
			if (c == '"')
				return true;
			if (static_cast<unsigned char>(c) < 0x20)
				return false;
			if (c == '\\') {
				if (!more())
					return false;
				const char e = t_[i_++];
				if (e == 'u') {
					for (int k = 0; k < 4; k++, i_++)
						if (!more() || !std::isxdigit(static_cast<unsigned char>(t_[i_])))
							return false;
					out += '?';
				} else if (std::string_view("\"\\/bfnrt").find(e) == std::string_view::npos) {
					return false;
				} else {
					out += e;
				}
			} else {
				out += c;
			}
		}
		return false;
	}
	bool array(Value &v, int depth)
	{
		space();
		if (eat(']'))
			return true;
		do {
			space();
			if (!value(v.items.emplace_back(), depth))
				return false;
			space();
		} while (eat(','));
		return eat(']');
	}
	bool object(Value &v, int depth)
	{
		space();
		if (eat('}'))
			return true;
		do {
			std::string key;
			space();
			if (!string(key) || v.find(key))
				return false;
			space();
			if (!eat(':'))
				return false;
			space();
			v.keys.push_back(key);
			if (!value(v.items.emplace_back(), depth))
				return false;
			space();
		} while (eat(','));
		return eat('}');
	}
	bool value(Value &v, int depth) // NOLINT(misc-no-recursion): depth is bounded
	{
		if (depth > 32 || !more())
			return false;
		if (eat('{')) {
			v.kind = Value::Object;
			return object(v, depth + 1);
		}
		if (eat('[')) {
			v.kind = Value::Array;
			return array(v, depth + 1);
		}
		if (t_[i_] == '"') {
			v.kind = Value::String;
			return string(v.text);
		}
		if (word("null"))
			return true;
		v.kind = Value::Bool;
		if (word("true")) {
			v.boolean = true;
			return true;
		}
		if (word("false"))
			return true;
		v.kind = Value::Number;
		return number(v.text);
	}

	std::string_view t_;
	std::size_t i_ = 0;
};

} // namespace

const Value *Value::find(std::string_view key) const
{
	for (std::size_t i = 0; i < keys.size(); i++)
		if (keys[i] == key)
			return &items[i];
	return nullptr;
}

std::optional<Value> parse(std::string_view text)
{
	return Parser(text).all();
}

} // namespace json
