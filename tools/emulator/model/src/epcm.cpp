// SPDX-License-Identifier: GPL-2.0
// The transitions of an EPCM entry.

#include "epcm.h"

namespace sgx2 {

void Page::init_secs(Enclave &record)
{
	*this = Page{};
	eid = record.hidden.eid;
	enclave = &record;
	type = PageType::Secs;
	valid = used = true;
}

void Page::init_va()
{
	*this = Page{};
	type = PageType::Va;
	valid = used = true;
}

void Page::init_child(Enclave &owner, uint64_t at, PageType t, uint8_t rwx)
{
	*this = Page{};
	linear = at;
	eid = owner.hidden.eid;
	enclave = &owner;
	type = t;
	rights = rwx;
	valid = used = true;
	owner.add_child();
}

void Page::invalidate()
{
	if (is_child())
		enclave->remove_child();
	*this = Page{};
	used = true; // the page still holds the old contents
}

} // namespace sgx2
