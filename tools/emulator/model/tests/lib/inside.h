// SPDX-License-Identifier: GPL-2.0
// EREPORT and EGETKEY by code inside the standard enclave. Operands lie in the enclave's second
// data page.
#pragma once

#include "enclave.h"

namespace sgx {

class Inside {
public:
	Inside(Enclave &enclave, std::size_t cpu_index) : e(enclave), c(enclave.m.cpu(cpu_index)) {}

	/// 0x6000: TARGETINFO or KEYREQUEST; 0x6200: REPORTDATA; 0x6400: REPORT; 0x6800: key.
	static constexpr u64 kIn = at::Data2, kData = at::Data2 + 0x200, kOut = at::Data2 + 0x400, kKey = at::Data2 + 0x800;

	Result try_report(const TargetInfo &t, const Blob<64> &data)
	{
		put(kIn, t);
		put(kData, data);
		return c.enclu(EREPORT, e.lin(kIn), e.lin(kData), e.lin(kOut));
	}
	Report report(const TargetInfo &t, const Blob<64> &data)
	{
		Report r;
		EXPECT_RESULT(try_report(t, data), done());
		std::memcpy(r.b.data(), e.mem(kOut), r.b.size());
		return r;
	}
	Result getkey(const KeyRequest &k, Key &key)
	{
		put(kIn, k);
		const Result r = c.enclu(EGETKEY, e.lin(kIn), e.lin(kKey));
		std::memcpy(key.data(), e.mem(kKey), key.size());
		return r;
	}
	template <std::size_t N>
	void put(u64 offset, const Blob<N> &v)
	{
		std::memcpy(e.mem(offset), v.b.data(), N);
	}

	Enclave &e;
	Cpu &c;
};

} // namespace sgx
